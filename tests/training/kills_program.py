"""Run by a test: trains the real generator in processes that are killed at random, and says what came of it.

    python kills_program.py FOLDER KILLS [SEED]

Every training is a process of its own, forked from this one, which has imported all and computed nothing.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from chromagan.apps.cli.main import main
from chromagan.models.registry import list_models
from chromagan.models.trunk import import_timm
from chromagan.training import train  # noqa: F401
from chromagan.training.checkpoint import state_files

sys.modules["torch.utils.tensorboard"] = None  # it would take seconds of every start
SNAPSHOT = 8  # photographs


def command(folder, out, images):
    return [
        "train", "--data", str(folder / "photos"), "--out", str(out), "--model", "chromagan", "--backbone", "lcnet_035",
        "--model-option", "width=16", "--no-pretrained", "--trunk-frozen", "0", "--size", "32", "--batch-size", "4",
        "--images", str(images), "--snapshot-every", str(SNAPSHOT), "--workers", "0", "--precision", "float32",
        "--warmup", "8", "--class-weight", "0", "--adversarial-weight", "0", "--device", "cpu",
    ]  # fmt: skip


def start(words, said):
    """A training in a process of its own; what it says goes into a file."""
    process = os.fork()
    if process:
        return process
    file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    code = 3
    try:
        code = main(words)
    finally:
        os._exit(code)


def make_photos(folder):
    folder.mkdir(parents=True)
    for i in range(9):
        small = np.random.default_rng(i).integers(0, 256, (4, 4, 1 if i == 3 else 3), dtype=np.uint8)
        photo = cv2.resize(np.broadcast_to(small, (4, 4, 3)).copy(), (44, 40), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{i}.png"), photo)
    (folder / "broken.jpg").write_bytes(b"broken")


def flip(path, rng):
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def live(process, out, rng, number):
    """Let a training live for a while and kill it; whether it was inside a write, None where it had ended by itself.

    In turn: inside the first or second file that it begins, or the next that is caught; some steps after it has saved
    once or twice; at its start.
    """
    kind, count, begun, saved = number % 3, rng.randint(1, 2), set(), set()
    before, wait = set(state_files(out)), rng.uniform(0, 2.0 if kind == 2 else 0.2)
    until = time.monotonic() + wait
    while True:
        if os.waitpid(process, os.WNOHANG)[0]:
            return None
        if kind == 0:
            begun |= set(writing := list(out.glob(".chromagan-*.tmp")))
            if writing and len(begun) >= count and stands_inside_a_write(process, out):
                break
        elif len(saved) < count and kind == 1:
            saved |= set(state_files(out)) - before
            until = time.monotonic() + wait
        elif time.monotonic() > until:
            break
        time.sleep(0.0005)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return any(out.glob(".chromagan-*.tmp"))


def stands_inside_a_write(process, out):
    """Stop it, and look: whether a file is still half written. It goes on where none is, for it was too fast."""
    os.kill(process, signal.SIGSTOP)
    os.waitpid(process, os.WUNTRACED)
    if any(out.glob(".chromagan-*.tmp")):
        return True
    os.kill(process, signal.SIGCONT)
    return False


def play(folder, kills, seed=0):
    rng, out, said = random.Random(seed), folder / "killed", folder / "killed.txt"
    make_photos(folder / "photos")
    import_timm()
    list_models()
    count = {"kills": 0, "inside a write": 0, "flipped": 0, "lives": 0}
    # The lives, each with the same command; then one that is left alone.
    images = 10**6
    while count["kills"] < kills:
        count["lives"] += 1
        inside = live(start(command(folder, out, images), said), out, rng, count["lives"])
        if inside is None:
            raise SystemExit(f"it ended by itself: {said.read_text()[-500:]}")
        count["kills"] += 1
        count["inside a write"] += inside
        if count["kills"] % 5 == 0 and len(state_files(out)) > 1:
            flip(state_files(out)[-1], rng)
            count["flipped"] += 1
    # It is stopped a little later, and one that was left alone at the same place.
    reached = int(state_files(out)[-1].stem.removeprefix("state-")) + 3 * SNAPSHOT
    for place in (out, folder / "whole"):
        process = start([*command(folder, place, images), "--stop-at", str(reached)], folder / f"{place.name}.txt")
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        if code:
            raise SystemExit(f"{place.name}: exit code {code}: {(folder / f'{place.name}.txt').read_text()[-500:]}")
    count["photographs"] = reached
    count["told of damage"] = said.read_text().count("; going on from ")
    return count


if __name__ == "__main__":
    print(json.dumps(play(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)))
