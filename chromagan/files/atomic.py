"""Files that stand complete under their final name, or not at all."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import platform
import secrets
import threading
import time
import weakref
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from chromagan.errors import WriteError

_CAUSES = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EFBIG: "the file is larger than this disk or process may write; choose a smaller format",
    errno.EACCES: "no permission to write there; choose another folder",
    errno.EPERM: "no permission to write there; choose another folder",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.ENOENT: "the folder does not exist; create it",
    errno.ENOTDIR: "its folder is a file; choose another folder",
    errno.EISDIR: "a folder has that name; choose another name",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}

_DAY = 86400.0

_unfinished: dict[threading.Thread, Path] = {}  # temporary files by the thread that writes them
_dismissed: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


@contextlib.contextmanager
def moved_into_place(path: str | Path) -> Iterator[Path]:
    """A temporary name beside a path; what stands under it in the end is moved to the path, in place of what was there.

    After any error the temporary file is removed and the path is untouched.
    """
    path = Path(path)
    # Not the target's name plus a suffix: that could be longer than the file system allows.
    temporary = path.parent / f".chromagan-{_place()}-{os.getpid()}-{secrets.token_hex(6)}.tmp"
    thread = threading.current_thread()
    _unfinished[thread] = temporary
    try:
        if thread in _dismissed:  # nobody is left to remove what it would begin
            raise OSError(errno.ECANCELED, "its batch has ended")
        yield temporary
        if thread in _dismissed:
            raise OSError(errno.ECANCELED, "its batch has ended")
        os.replace(temporary, path)
    except BaseException:  # Ctrl-C too
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
    finally:
        _unfinished.pop(thread, None)


@contextlib.contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """What is written to a path within it, and closed, is on the disk at its end, should the power fail."""
    yield
    with path.open("rb") as file:
        os.fsync(file.fileno())


def write_atomically(path: str | Path, write: Callable[[BinaryIO], object], sync: bool = False) -> None:
    """Write a file beside its target under a temporary name, then move it into place.

    Args:
        path: the final name; an existing file is replaced.
        write: gets the open file and writes all of it.
        sync: the content is on the disk before it gets its name, should the power fail.

    Raises:
        WriteError: the disk or the folder refuses; the temporary file is removed and the final name is untouched.
    """
    with told(path), moved_into_place(path) as temporary, temporary.open("xb") as file:
        write(file)
        if sync:
            file.flush()
            os.fsync(file.fileno())


@contextlib.contextmanager
def told(path: str | Path) -> Iterator[None]:
    """What the disk or the folder refuses within it becomes a `WriteError` that names the path."""
    try:
        yield
    except OSError as error:
        cause = _CAUSES.get(error.errno or 0, f"{error.strerror or error}; check the disk")
        raise WriteError(f"{path}: cannot be written: {cause}") from error


def write_text(path: str | Path, text: str, sync: bool = False) -> None:
    """Write a text in UTF-8, its line ends as they are; `sync` and `WriteError` as `write_atomically`.

    Of file names that are not Unicode, the bytes become escapes.
    """
    write_atomically(path, lambda file: file.write(text.encode(errors="backslashreplace")), sync)


def write_json(path: str | Path, content: Any, sync: bool = False) -> None:
    """Write strict JSON (`ValueError` for NaN and infinity); `sync` and `WriteError` as `write_atomically`."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n", sync)


def strict_json(value: Any) -> Any:
    """The same content with None, JSON's null, for every number that is not finite."""
    if isinstance(value, dict):
        return {key: strict_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict_json(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_texts(folder: str | os.PathLike[str], texts: Mapping[str, str], option: str) -> list[Path]:
    """Write texts by file name into a folder, made where it is missing; each file whole or not at all.

    Returns the files; `WriteError`, which names the option that gave the folder, where one cannot be written.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{folder}: the folder cannot be made ({error.strerror}); choose another {option}") from error
    for name, text in texts.items():
        write_text(Path(folder) / name, text)
    return [Path(folder) / name for name in texts]


def refuse_existing(folder: str | os.PathLike[str], names: Iterable[str], option: str) -> None:
    """`WriteError` where a report, one of its files, stands in a folder already; `option` named it."""
    for path in (Path(folder) / name for name in names):
        if os.path.lexists(path):
            raise WriteError(f"{path}: a report stands there; choose another {option}, or --overwrite to replace it")


def remove_unfinished(folder: str | Path) -> None:
    """Remove what a killed process left half-written in a folder in which nobody writes now."""
    for path in Path(folder).glob(".chromagan-*.tmp"):
        path.unlink()


def remove_abandoned(folder: str | Path) -> None:
    """Remove what killed processes left half-written in a folder in which others may be writing."""
    for path in Path(folder).glob(".chromagan-*.tmp"):
        with contextlib.suppress(OSError):
            if _is_abandoned(path):
                path.unlink()


def _is_abandoned(path: Path) -> bool:
    """Whether the writer of a temporary file is gone; of one elsewhere nothing is known but the file's age."""
    _, place, process, *_ = [*path.stem.split("-"), "", ""]
    if place == _place() and process.isdecimal() and os.name != "nt":  # there, asking would end the process
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            return True
        except (OSError, OverflowError):
            pass  # it is another user's
    return time.time() - path.stat().st_mtime > _DAY


def _place() -> str:
    """Where the number of a process means that process: the machine and, in containers, the numbering."""
    with contextlib.suppress(OSError):
        return f"{zlib.crc32((platform.node() + os.readlink('/proc/self/ns/pid')).encode()):08x}"
    return f"{zlib.crc32(platform.node().encode()):08x}"


def dismiss(threads: Iterable[threading.Thread]) -> None:
    """Remove the temporary files of threads that hang; nothing that they go on to write appears under its name."""
    for thread in threads:
        _dismissed.add(thread)
        temporary = _unfinished.pop(thread, None)
        if temporary is not None:
            with contextlib.suppress(OSError):  # gone already; or open, where open files cannot be removed (Windows)
                temporary.unlink()
