"""Writes gimp.json: what GIMP's library calls its functions, methods and values, and what they take.

    python3 tests/adapters/hosts/record_gimp.py

where GIMP 3 and its introspection are (Debian: gir1.2-gimp-3.0).
"""

import json
import re
from pathlib import Path

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("GimpUi", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import Gimp, GimpUi, GObject, Gtk  # noqa: E402

CLASSES = {"Image": Gimp, "Layer": Gimp, "ImageProcedure": Gimp, "ProcedureDialog": GimpUi}
VALUES = ("ImageBaseType", "LayerMode", "MaskApplyMode", "PDBProcType", "PDBStatusType", "Precision",
          "ProcedureSensitivityMask", "RunMode")  # fmt: skip


def taken(function):
    """Names of a function's arguments, without itself."""
    inside = re.search(r"\((.*)\)(?: ->|$)", function.__doc__).group(1)
    return [word.split(":")[0].strip() for word in inside.split(",") if word.strip() not in ("", "self")]


def functions(thing):
    """Of a module or class, without those that it has from GObject or GTK."""
    given = set(dir(Gtk.Dialog if isinstance(thing, type) and issubclass(thing, Gtk.Dialog) else GObject.Object))
    given -= set(vars(thing))
    named = {name: getattr(thing, name) for name in dir(thing) if name not in given}
    return {name: taken(one) for name, one in named.items() if type(one).__name__ == "FunctionInfo"}


def main():
    """Record them."""
    values = {name: sorted(one for one in dir(getattr(Gimp, name)) if one.isupper()) for name in VALUES}
    found = {"Gimp": functions(Gimp), "GimpUi": functions(GimpUi), "values": values}
    found |= {name: functions(getattr(module, name)) for name, module in CLASSES.items()}
    found["version"] = f"{Gimp.MAJOR_VERSION}.{Gimp.MINOR_VERSION}.{Gimp.MICRO_VERSION}"
    lines = (f"{json.dumps(name)}: {json.dumps(found[name], separators=(',', ':'))}" for name in sorted(found))
    Path(__file__).with_name("gimp.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
