"""The benchmark's textbook loop is the same mathematics, and its figures hang together."""

import json

import numpy as np
import pytest
import torch
from skimage import data, io

from chromagan.apps.cli.main import main
from chromagan.benchmark.training import Textbook, _Operations
from chromagan.data.loader import Batch
from chromagan.training.config import from_preset
from chromagan.training.trainer import Trainer


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    picture = data.astronaut()
    for number in range(6):
        io.imsave(folder / f"{number}.png", np.ascontiguousarray(picture[80 * number : 80 * number + 80, 100:200]))
    return folder


def test_the_textbook_takes_the_same_generator_step(photos, tmp_path):
    config = from_preset(
        "default", data=[str(photos)], no_pretrained=True, size=32, batch_size=2,
        precision="float32", warmup=0, workers=0, beta1=0.5, lr=1e-5, adversarial_weight=0.1,
    )  # fmt: skip
    trainer = Trainer(config, tmp_path / "run", torch.device("cpu"))
    trainer.generator.train()
    textbook = Textbook(trainer)
    batch = Batch(torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8), torch.arange(2))
    ours = [p for p in trainer.generator.parameters() if p.requires_grad]
    theirs = [p for p in textbook.generator.parameters() if p.requires_grad]
    trainer.train_batch(batch)
    textbook.train_batch(batch)
    one, other = (torch.cat([p.grad.flatten() for p in group if p.grad is not None]) for group in (ours, theirs))
    assert float((one - other).norm() / one.norm()) < 1e-3


def test_operations_are_counted_by_the_closed_form():
    with _Operations() as counter:
        weight = torch.randn(6, 4, 3, 3, requires_grad=True)
        answer = torch.nn.functional.conv2d(torch.randn(2, 4, 10, 10), weight)
        torch.randn(5, 7) @ torch.randn(7, 3)
    convolution = 2 * (2 * 6 * 8 * 8) * (4 * 3 * 3)
    assert counter.total == convolution + 2 * 5 * 7 * 3
    with _Operations() as counter:
        torch.autograd.grad(answer.sum(), weight)
    assert counter.total == convolution


@pytest.mark.slow
def test_the_command_writes_its_figures(photos, tmp_path, capsys):
    out = tmp_path / "figures.json"
    words = ["benchmark", "train", "--preset", "mobile", "--data", str(photos), "--steps", "1", "--runs", "1"]
    assert main([*words, "--device", "cpu", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "critic step" in told
    figures = json.loads(out.read_text())["training"]
    assert set(figures["images_per_second"]) == {"loop", "fixed", "textbook"}
    assert all(value > 0 for value in figures["images_per_second"].values())
    assert 0 < figures["teraflops"] < 2 * figures["peak_teraflops"]
    assert figures["peak_bytes"] > 10**8
