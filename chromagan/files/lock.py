"""A file that one process holds at a time: by a lock of the system, which ends with the process however it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path


class Held(Exception):  # noqa: N818 (a state rather than a mistake)
    """Another process holds the file."""


class FileLock:
    """Holds a file, which is made where it is missing, until `release` or the end of the process.

    On a disk that knows no locks nobody is kept out.

    Args:
        path: the file; its content does not matter and stays as it is.

    Raises:
        Held: another process holds it.
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(self._handle)
        except (BlockingIOError, PermissionError) as error:
            os.close(self._handle)
            raise Held(str(path)) from error
        except OSError:
            pass

    def release(self) -> None:
        """Let others in."""
        _unlock(self._handle)
        os.close(self._handle)


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # the first byte, which need not be there
    else:
        import fcntl

        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _unlock(handle: int) -> None:
    """Where closing does so some time later only."""
    if sys.platform == "win32":
        import contextlib
        import msvcrt

        with contextlib.suppress(OSError):  # it was none
            os.lseek(handle, 0, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
