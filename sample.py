"""Colorize photographs: `python sample.py PHOTOS -o colored/`. The same as `chromagan sample`."""

import sys

from chromagan.apps.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["sample", *sys.argv[1:]]))
