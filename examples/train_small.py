"""Train a colorizer of your own on a folder, in minutes, and colorize with it.

    python examples/train_small.py PHOTOS --out runs/small --images 2000

Enough to see every part work, far too little for good colours: docs/training.md says what those take. Run the same
command again and it goes on where it stopped.
"""

import argparse
import sys
from pathlib import Path

from chromagan import Colorizer, export, train
from chromagan.files.find import find_photo_files
from chromagan.images.read import read_photo
from chromagan.training.config import from_preset


def main() -> int:
    """0 when the run has ended."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path, help="folder of colour photographs")
    parser.add_argument("--out", type=Path, default=Path("runs/small"))
    parser.add_argument("--images", type=int, default=2000, help="photographs to see, repeats counted")
    args = parser.parse_args()

    # The U-Net over nothing pretrained learns from nothing: no download, no teacher, no adversary.
    config = from_preset(
        "default", model="unet", backbone="", data=[str(args.photos)], images=args.images, size=64, batch_size=4,
        workers=0, adversarial_weight=0.0, class_weight=0.0, min_chroma=0.0,
    )  # fmt: skip
    trainer, reason = train(config, args.out)
    print(f"{trainer.images:,} photographs seen; stopped by {reason or 'the end of the run'}")

    written = export(source=args.out, out=args.out / "small.safetensors")
    colorizer = Colorizer.from_pretrained(written.path)
    [[painted]] = colorizer.colorize([read_photo(find_photo_files(args.photos)[0])])
    painted.save(args.out / "painted.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
