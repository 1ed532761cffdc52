"""`chromagan studio`: colour photographs by hand, on a page in the browser."""

from __future__ import annotations

import argparse
import logging
import secrets
import threading
import webbrowser
from typing import TYPE_CHECKING

from chromagan.apps.cli import words
from chromagan.apps.web.door import address, listen
from chromagan.errors import ChromaganError, UsageError

if TYPE_CHECKING:
    from chromagan.inference.colorizer import Colorizer

log = logging.getLogger(__name__)
PORT = 7860


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.usage = "chromagan studio [PHOTO...] [-o OUT] [options]"
    add = parser.add_argument
    add("inputs", nargs="*", metavar="PHOTO", help="photos, folders and patterns that the page shows; more can be "
        "dropped onto it")  # fmt: skip
    add("-o", "--out", default="colorized", metavar="FOLDER", help="for what is saved (default: colorized)")
    add("--overwrite", action="store_true", help="write over files there that chromagan did not write")
    add("--model", default="chromagan", metavar="NAME|FILE", help="shipped network, or a .safetensors file")
    add("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    add("--port", type=int, default=PORT, metavar="N", help=f"where the page is (default: {PORT}, or the next that is "
        "free)")  # fmt: skip
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="that the studio listens at; 0.0.0.0 lets other "
        "machines in, who need the address with its key (default: 127.0.0.1)")  # fmt: skip
    add("--allow-host", action="append", default=[], metavar="NAME", help="a name by which browsers may ask for it")
    add("--no-browser", action="store_true", help="open no browser")


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C; returns the exit code."""
    try:
        import uvicorn

        from chromagan.apps.studio.app import make_app
    except ImportError as error:
        raise UsageError(f'the studio needs {error.name}; run: pip install "chromagan[studio]"') from error
    from chromagan.apps.studio.studio import Studio

    def make_colorizer() -> Colorizer:
        from chromagan.inference.colorizer import Colorizer

        return Colorizer.from_pretrained(args.model, args.device)

    studio = Studio(make_colorizer, args.inputs, args.out, args.overwrite)
    for source, reason in studio.refused:
        log.error("%s: %s", source, reason)
    door, token = listen(args.host, args.port, tries=20), secrets.token_urlsafe(18)
    with words.lossy("stdout"), door:
        # The key stands behind the #: it is never sent with the address, and so in no server's log.
        page = f"{address(door)}#{token}"
        print(f"the studio is at {page}\nCtrl-C ends it", flush=True)
        app = make_app(studio, token, tuple(args.allow_host))
        config = uvicorn.Config(
            app, log_level="error", access_log=False, server_header=False, timeout_graceful_shutdown=2
        )
        server, failed = uvicorn.Server(config), list[Exception]()

        def load() -> None:
            try:
                _ = studio.colorizer
            except ChromaganError as error:
                failed.append(error)
                server.should_exit = True

        # The weights are read while the page opens.
        loading = threading.Thread(target=load, name="loading", daemon=True)
        loading.start()
        if not args.no_browser:
            threading.Thread(target=webbrowser.open, args=(page,), daemon=True).start()
        try:
            server.run(sockets=[door])
        except KeyboardInterrupt:  # uvicorn's, after it has ended: the way in which a studio is closed
            pass
        finally:
            loading.join()
    if failed:
        raise failed[0]
    return 0
