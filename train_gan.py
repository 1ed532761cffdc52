"""Train a colorizer: `python train_gan.py --data PHOTOS --out RUN`, the same as `chromagan train`."""

import sys

from chromagan.apps.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
