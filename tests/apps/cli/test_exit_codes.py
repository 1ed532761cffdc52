"""What is named and is not there is wrong usage, whichever command it is named to; what is there and damaged is not."""

import pytest
import torch

from chromagan.apps.cli.main import main

COMMANDS = ("sample", "evaluate", "fairness", "export", "benchmark sample", "benchmark models")
DEVICES = ("sample", "evaluate", "fairness", "train", "benchmark models")


def words_of(command, photos, out, model="chromagan", device="cpu"):
    words = {
        "sample": [photos, "-o", out, "--model", model, "--device", device],
        "evaluate": ["--data", photos, "--out", out, "--model", model, "--device", device],
        "fairness": ["--data", photos, "--out", out, "--model", model, "--device", device],
        "train": ["--data", photos, "--out", out, "--device", device, "--no-pretrained"],
        "export": [model, "-o", f"{out}.safetensors"],
        "benchmark sample": ["--data", photos, "--model", model, "--device", device, "--out", f"{out}.json"],
        "benchmark models": ["--models", model, "--sizes", "32", "--device", device, "--out", f"{out}.json"],
    }
    return [*command.split(), *map(str, words[command])]


def refused(words, capsys, tmp_path):
    """The exit code and the one line; nothing was written."""
    before = sorted(tmp_path.rglob("*"))
    code = main(words)
    (line,) = [one for one in capsys.readouterr().err.splitlines() if "error" in one]
    assert sorted(tmp_path.rglob("*")) == before
    return code, line


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("model", "told"), [
    ("gone.safetensors", "there is no weights file"), ("gone/model.safetensors", "there is no weights file"),
    ("chromagna", "did you mean chromagan"), ("chromagan@gone", "no weights are shipped"), ("", "is a folder"),
])  # fmt: skip
def test_weights_that_are_not_there(command, model, told, colour_photos, tmp_path, capsys):
    named = model if "chromag" in model else str(tmp_path / model)
    code, line = refused(words_of(command, colour_photos, tmp_path / "out", named), capsys, tmp_path)
    assert code == 2
    assert named in line
    assert told in line


@pytest.mark.parametrize("command", COMMANDS)
def test_weights_that_are_damaged(command, colour_photos, tmp_path, capsys):
    path = tmp_path / "cut.safetensors"
    path.write_bytes(b"no weights")
    code, line = refused(words_of(command, colour_photos, tmp_path / "out", path), capsys, tmp_path)
    assert code == 1
    assert str(path) in line


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
@pytest.mark.parametrize("command", DEVICES)
def test_a_device_that_is_not_there(command, colour_photos, tmp_path, capsys):
    code, line = refused(words_of(command, colour_photos, tmp_path / "out", device="cuda"), capsys, tmp_path)
    assert code == 2
    assert "no cuda device" in line
