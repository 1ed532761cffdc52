"""The `chromagan` command, as plug-ins call it whose host has its own Python; `install.py` puts this beside them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

PHOTO, HINTS = "photo.png", "hints.png"  # what the host writes
COLOURED, LAYER = "out/photo.png", "out/photo-layer.png"  # and what comes back
LAYER_NAME = "Colour (chromagan)"
SAID = Path(__file__).with_name("chromagan_command.json")  # the command's words, if install.py has written them
# What hosts set for their own Python and libraries, and another Python must not see.
_THEIRS = ("PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "GI_TYPELIB_PATH", "QT_PLUGIN_PATH")
_MISSING = (
    "the chromagan command is not there; install chromagan, then run its adapters/install.py with the same Python"
)


class CommandFailed(Exception):  # noqa: N818
    """The message is one line for the user."""


def command() -> list[str]:
    """The words that start it: those that install.py has written, or what the PATH has."""
    words = json.loads(SAID.read_text(encoding="utf-8")) if SAID.is_file() else ["chromagan"]
    if shutil.which(words[0]) is None:
        raise CommandFailed(_MISSING)
    return words


def colorize(folder: str | Path, tick: Callable[[], object] = lambda: None, **options: object) -> None:
    """Colorize the photo in a folder, with the hints where they are there.

    Args:
        folder: where the host has written them.
        tick: called ten times a second while it runs; whatever it raises ends the command.
        **options: of `chromagan sample`, such as `model="chromagan@small"`, `saturation=1.2`.

    Raises:
        CommandFailed: with the command's own last line.
    """
    words = [*command(), "sample", PHOTO, "-o", "out", "--format", "png", "--layer", "--quiet"]
    for name, value in options.items():
        words += [f"--{name}={value}"]
    if Path(folder, HINTS).exists():
        words += ["--hints", HINTS]
    environment = {name: value for name, value in os.environ.items() if name not in _THEIRS}
    hidden = {"creationflags": subprocess.CREATE_NO_WINDOW} if sys.platform == "win32" else {}
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said, **hidden
            )
        except OSError as error:
            raise CommandFailed(f"{words[0]} does not start: {error.strerror or error}") from error
        try:
            while process.poll() is None:
                tick()
                try:
                    process.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            process.kill()
            process.wait()
        said.seek(0)
        lines = said.read().decode("utf-8", "replace").strip().splitlines()
    if process.returncode or not Path(folder, COLOURED).exists():
        told = lines[-1] if lines else f"chromagan ended with exit code {process.returncode}"
        raise CommandFailed(told.replace(f"{PHOTO}:", "the photo:").replace(f"--hints {HINTS}:", "the layer hints:"))
