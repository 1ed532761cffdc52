"""Networks and metrics of other installed packages, which offer them by an entry point."""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint, entry_points

_log = logging.getLogger(__name__)
_asked: set[EntryPoint] = set()


def load_strangers(group: str) -> None:
    """Import what other packages offer under a group of entry points; importing registers it.

    Each is imported once. One that cannot be imported is told in one line and left out: the program works without it.

    Args:
        group: such as `chromagan.models`; an entry's value names a module, or a class in it.
    """
    for point in entry_points(group=group):
        if point in _asked:
            continue
        _asked.add(point)
        try:
            point.load()
        except (Exception, SystemExit) as error:  # whatever a stranger's module raises when it is imported
            package = point.dist.name if point.dist is not None else point.value
            reason = f"{type(error).__name__}: {error}".splitlines()[0][:160]
            _log.warning(
                "package %s: its %s %r is left out (%s); update it or remove it", package, group, point.name, reason
            )
