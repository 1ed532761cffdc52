"""What a command says never decides how it ends: where stdout or stderr is full, closed or gone, words are lost."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import threading
import traceback
import unicodedata
import warnings
from collections.abc import Iterator
from typing import Any, TextIO

INTERRUPTED = 130
LAST_WORDS_SECONDS = 1.0
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


class _Lossy:
    """A stream that takes everything: what cannot be written is lost, what cannot be spelled is escaped."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding or "ascii"
            return self.write(text.encode(encoding, "backslashreplace").decode(encoding))
        except (OSError, ValueError):  # ValueError: it is closed
            return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def lossy(*names: str) -> Iterator[None]:
    """Let printing, bars, warnings and loggers write to these streams of `sys` whatever has become of them.

    Args:
        *names: "stdout" where it carries words for people and no data, and "stderr".
    """
    before = {name: getattr(sys, name) for name in names}
    for name, stream in before.items():
        if stream is not None:
            setattr(sys, name, _Lossy(stream))
    try:
        yield
    finally:
        for name, stream in before.items():
            setattr(sys, name, stream)
            if stream is not None:
                _flush_or_drop(stream)


def spelled(text: str) -> str:
    """A text with escapes for what ends a line, moves the cursor or turns the direction: names of files can hold it."""
    unseen = {one for one in text if unicodedata.category(one) in _UNSEEN}
    return "".join(one.encode("unicode_escape").decode() if one in unseen else one for one in text)


class _Lines(logging.StreamHandler[TextIO]):
    """Each record is a line of stderr, whatever that is by then, and tears no progress bar."""

    def format(self, record: logging.LogRecord) -> str:
        said = "error: " if record.levelno >= logging.ERROR else ""
        line = f"chromagan: {said}{spelled(record.getMessage())}"
        if record.exc_info:
            trace = "".join(traceback.format_exception(record.exc_info[1]))
            return f"{line}\n" + "\n".join(map(spelled, trace.splitlines()))
        return line

    def emit(self, record: logging.LogRecord) -> None:
        bars = sys.modules.get("tqdm")
        self.setStream(sys.stderr)
        with bars.tqdm.external_write_mode(file=sys.stderr) if bars else contextlib.nullcontext():
            super().emit(record)


@contextlib.contextmanager
def logged() -> Iterator[None]:
    """Within it, what the package logs from `info` on is a line on stderr: `chromagan: [error: ]...`."""
    handler = _Lines(sys.stderr)
    logger = logging.getLogger("chromagan")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _flush_or_drop(stream: TextIO) -> None:
    """What is left in a stream that takes no more would turn the exit code into 120 when Python ends."""
    try:
        stream.flush()
    except ValueError:  # closed
        pass
    except OSError:
        with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:  # one that is no file has no number
            os.dup2(nowhere.fileno(), stream.fileno())
            stream.flush()


def occupy_standard_descriptors() -> None:
    """Where a standard stream is closed the next file that is opened, a photo, would take its place and its errors."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 (as long as the process lives)
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115


@contextlib.contextmanager
def last_words(code: int) -> Iterator[None]:
    """A second for what is said after Ctrl-C; where it hangs, the process leaves without a word.

    Args:
        code: what the process then ends with.
    """
    timer = threading.Timer(LAST_WORDS_SECONDS, os._exit, (code,))
    timer.daemon = True
    timer.start()
    try:
        with contextlib.suppress(KeyboardInterrupt):  # once more: said enough
            yield
    finally:
        timer.cancel()


@contextlib.contextmanager
def quiet_decoders(wholly: bool) -> Iterator[None]:
    """Within it, what the libraries that read photos say to programmers does not reach the screen.

    Args:
        wholly: nor what any other library says, those in C included; not where processes of others may fail.
    """
    loggers = {logger: logger.level for logger in map(logging.getLogger, ("PIL", "tifffile", "imagecodecs"))}
    with warnings.catch_warnings(), _own_stderr() if wholly else contextlib.nullcontext():
        warnings.filterwarnings("ignore", module=r"(?!chromagan)" if wholly else r"PIL\.|tifffile|imagecodecs")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for logger, level in loggers.items():
                logger.setLevel(level)


@contextlib.contextmanager
def _own_stderr() -> Iterator[None]:
    """Within it, libraries in C, which write to descriptor 2 themselves, write nowhere, and Python where it wrote."""
    before = sys.stderr
    try:
        ours = before.fileno() == 2
    except (OSError, ValueError):
        ours = False
    if not ours:
        yield
        return
    before.flush()
    kept = os.dup(2)  # for good: threads that hang may still write to it
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    # Nothing waits in a buffer of its own: where stderr takes no more, flushing that at the end would hang.
    raw = io.FileIO(kept, "w", closefd=False)
    sys.stderr = _Lossy(io.TextIOWrapper(raw, before.encoding, before.errors, write_through=True))
    try:
        yield
    finally:
        sys.stderr = before
        os.dup2(kept, 2)
