"""Run by tests: `chromagan train` with the network of `tiny_network.py`, whose steps the environment slows or holds.

TELL: the process says "training" after two steps, and takes its time for each from the start.
HOLD: a file. After the first state, rank 1 writes its process there and waits to be killed, while rank 0 waits for its
gradients; where the file stands already, it goes on.
"""

import os
import sys
import time

import tiny_network  # noqa: F401 (registers it)

from chromagan.apps.cli.main import main
from chromagan.training import trainer

step, hold = trainer.Trainer.train_batch, os.environ.get("HOLD", "")


def step_or_wait(self, batch):
    """A step of the trainer, or a wait before it."""
    if "TELL" in os.environ:
        if self.images == 8:
            os.write(1, b"training\n")  # at once: torchrun's ranks share the pipe
        time.sleep(0.02)
    if hold and os.environ["RANK"] == "1" and self.images >= 24 and not os.path.exists(hold):
        with open(hold + ".writing", "w") as file:
            file.write(str(os.getpid()))
        os.replace(hold + ".writing", hold)
        time.sleep(3600)
    return step(self, batch)


if __name__ == "__main__":
    trainer.Trainer.train_batch = step_or_wait
    sys.exit(main(["train", *sys.argv[1:]]))
