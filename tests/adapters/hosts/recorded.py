"""Stand-ins for the objects of a host program, which can have what is recorded of the real ones and nothing else."""

import inspect
import json
from pathlib import Path


def recording(name):
    """What record_NAME.py wrote: by class, the names of its methods and of their arguments."""
    return json.loads(Path(__file__).with_name(f"{name}.json").read_text(encoding="utf-8"))


def as_recorded(methods):
    """A class whose public methods are all recorded, with the same arguments; any other name is an AttributeError."""

    def checked(stand_in):
        for name, method in vars(stand_in).items():
            if name.startswith("_"):
                continue
            function = getattr(method, "__func__", method)
            taken = inspect.signature(function).parameters.values()  # *data is what a host hands back to a callback
            names = [one.name for one in taken if one.name != "self" and one.kind != one.VAR_POSITIONAL]
            assert names == methods[name], f"{stand_in.__name__}.{name} takes {methods[name]}, not {names}"
        return stand_in

    return checked
