"""What a command says never decides how it ends: where stdout or stderr is full, closed or gone, words are lost."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any, TextIO

LAST_WORDS_SECONDS = 1.0


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


@contextlib.contextmanager
def logged() -> Iterator[None]:
    """Within it, what the package logs from `info` on is a line on stderr: `chromagan: ...`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("chromagan: %(message)s"))
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
def quiet_decoders() -> Iterator[None]:
    """Within it, what the libraries that read photos say to programmers does not reach the screen."""
    loggers = {logger: logger.level for logger in map(logging.getLogger, ("PIL", "tifffile"))}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.|tifffile")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for logger, level in loggers.items():
                logger.setLevel(level)
