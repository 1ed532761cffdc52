"""What registers itself when it is imported: the files of a room, and what other packages bring by entry points."""

from __future__ import annotations

import importlib
import logging
import os
import pkgutil
from collections.abc import Callable
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points
from typing import Any

from chromagan.errors import words_of

_log = logging.getLogger(__name__)
_asked: set[EntryPoint] = set()
_unreadable: set[str] = set()


def load_room(room: str) -> None:
    """Import every file of a package such as `chromagan.models`."""
    for module in pkgutil.iter_modules(importlib.import_module(room).__path__):
        importlib.import_module(f"{room}.{module.name}")


def load_strangers(group: str) -> None:
    """Import what other packages offer under a group, each once; importing registers it.

    Args:
        group: such as `chromagan.models`; an entry's value names a module, or a class in it.
    """
    for point in entry_points_of(group):
        if point not in _asked:
            _asked.add(point)
            load_stranger(point)


def entry_points_of(group: str) -> list[EntryPoint]:
    """What installed packages offer under a group; one whose entry points cannot be read is told once, in one line."""
    try:
        return list(entry_points(group=group))
    except Exception:  # one damaged file would hide what all others offer
        found = {(point.name, point.value): point for dist in distributions() for point in _points_of(dist, group)}
        return list(found.values())


def mind_damaged_packages() -> None:
    """Before PyTorch is imported: it looks for its own extensions, and would end at a package that is damaged."""
    try:
        entry_points(group="torch.backends")
    except Exception:
        os.environ.setdefault("TORCH_DEVICE_BACKEND_AUTOLOAD", "0")
        entry_points_of("torch.backends")  # says which


def _points_of(dist: Distribution, group: str) -> list[EntryPoint]:
    try:
        return [point for point in dist.entry_points if point.group == group]
    except Exception as error:
        folder = str(getattr(dist, "_path", dist.locate_file("")))
        if folder not in _unreadable:
            _unreadable.add(folder)
            said = "package %s: its entry_points.txt cannot be read (%s); install it again, or remove it"
            _log.warning(said, folder.replace("\\", "/").rpartition("/")[2].partition("-")[0], words_of(error))
        return []


def load_stranger(point: EntryPoint, check: Callable[[Any], object] | None = None) -> Any | None:
    """What an entry point names; one that cannot be loaded is told in one line, and is as if it were not there.

    Args:
        point: the entry.
        check: raises where what was found is not what the group is for.
    """
    try:
        found = point.load()
        if check is not None:
            check(found)
    except (Exception, SystemExit) as error:  # whatever a stranger's module raises when it is imported
        package = "its package" if point.dist is None else f"package {point.dist.name}"
        reason = (words_of(error) or type(error).__name__)[:160]
        said = "%s: %s (%s) cannot be loaded: %s; mend %s or remove it"
        _log.warning(said, point.group, point.name, point.value, reason, package)
        return None
    return found
