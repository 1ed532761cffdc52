"""What of an unfinished film is still to be made: what stands in its folder is looked at first."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from zipfile import BadZipFile

from chromagan.errors import WriteError
from chromagan.film.folder import Parts
from chromagan.film.join import frames_in
from chromagan.film.plan import Window
from chromagan.film.steady import State

log = logging.getLogger(__name__)


def missing_windows(windows: Sequence[Window], parts: Parts) -> list[Window]:
    """The windows whose parts are to be made, in their order. A part that is damaged is told, and is among them.

    Args:
        windows: of the film.
        parts: what stands there of it.
    """
    missing = {window.number for window in windows if not _is_whole(window, parts)}
    for window in reversed(windows):
        # What is made goes on from the colours of the window before.
        if window.number in missing and not window.first and not _has_state(window.number - 1, parts):
            missing.add(window.number - 1)
    return [window for window in windows if window.number in missing]


def load_state(number: int, parts: Parts) -> State:
    """Where the colours at a window's end are; `WriteError` where that is missing or damaged."""
    file = parts.state(number)
    try:
        return State.load(file.read_bytes())
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise WriteError(f"{file}: missing or damaged; the same command makes it anew") from error


def _is_whole(window: Window, parts: Parts) -> bool:
    file = parts.part(window.number)
    if not file.exists():
        return False
    try:
        if frames_in(file) == window.stop - window.start:
            return True
    except WriteError:
        pass
    log.warning("%s: this part is damaged; it is made anew", file)
    return False


def _has_state(number: int, parts: Parts) -> bool:
    try:
        load_state(number, parts)
    except WriteError:
        return False
    return True
