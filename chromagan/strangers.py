"""What other installed packages bring by entry points: networks, metrics, loss terms."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from chromagan.errors import words_of

_log = logging.getLogger(__name__)
_asked: set[EntryPoint] = set()


def load_strangers(group: str) -> None:
    """Import what other packages offer under a group, each once; importing registers it.

    Args:
        group: such as `chromagan.models`; an entry's value names a module, or a class in it.
    """
    for point in entry_points(group=group):
        if point not in _asked:
            _asked.add(point)
            load_stranger(point)


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
