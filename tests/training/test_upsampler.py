"""The training of the chroma step: it learns, stops, goes on, and writes what it promises."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from skimage import data, io

from chromagan.color.lab import rgb_to_lab
from chromagan.errors import DataError, ReadError, TrainingError, UsageError, WriteError
from chromagan.files.find import find_photo_files
from chromagan.files.suffixes import is_training_name
from chromagan.models.chroma_upsampler import ChromaUpsampler
from chromagan.pretrained.create import load_upsampler
from chromagan.pretrained.store import read_weights, save_weights
from chromagan.training.loop import Loop
from chromagan.training.run_folder import read_stats
from chromagan.training.upsampler import UpsamplerRun, octave_loss, train_upsampler
from chromagan.training.upsampler_crops import (
    LabPhotograph,
    UpsamplerRunOptions,
    UpsamplerTraining,
    load_lab,
    random_crops,
    read_photograph,
)

ROOT = Path(__file__).parents[2]
SMALL = UpsamplerTraining(width=8, depth=1, images=480, batch_size=4, crop=32, enlarged_share=0.0)


def stripes():
    """Lab of slanted stripes in two colours of different lightness: where L steps, ab steps."""
    rows, columns = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    red = ((rows + 2 * columns) % 37 < 17).float()
    rgb = torch.stack((0.2 + 0.6 * red, 0.3 * torch.ones_like(red), 0.7 - 0.6 * red))
    return LabPhotograph.from_lab(rgb_to_lab(rgb))


def save(network, path, command):
    save_weights(path, network, model="chroma_upsampler", config=network.config, command=command, half=False)


def train(folder, config, start=None, **given):
    run = UpsamplerRun(UpsamplerRunOptions(config), folder, [stripes()], start)
    Loop(run, 12, tick=config.batch_size, **given).run()
    return run, [line["loss"] for line in read_stats(folder)]


def test_a_short_run_lowers_the_loss(tmp_path):
    run, losses = train(tmp_path, SMALL)
    assert len(losses) == 120
    assert np.mean(losses[-30:]) < 0.85 * np.mean(losses[:30])
    assert not run.ema.applied_to(run.network).training


def test_a_run_that_stops_goes_on_and_equals_the_uninterrupted_one(tmp_path):
    config = UpsamplerTraining(width=8, depth=0, images=36, crop=32)
    whole, losses = train(tmp_path / "whole", config)
    for images in (4, 16):
        train(tmp_path / "parts", config, stop_at=images)
    parts, again = train(tmp_path / "parts", config)
    assert (parts.images, again) == (whole.images, losses)
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, parts.network.state_dict()[name]), name
        assert torch.equal(whole.ema.tensors[name], parts.ema.tensors[name]), name
    with pytest.raises(TrainingError, match="seed: 0 there, 3 now"):
        train(tmp_path / "parts", config.changed(seed=3))


PROGRAM = """
import sys
from pathlib import Path
from chromagan.training import checkpoint, upsampler
from chromagan.training.upsampler_crops import UpsamplerTraining
upsampler._SNAPSHOT_EVERY = 8
step, left = upsampler.UpsamplerRun.train_batch, int(sys.argv[3])
def slow(self, batch):
    global left
    left -= 1
    if left == 0:
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, batch)
upsampler.UpsamplerRun.train_batch = slow
config = UpsamplerTraining(width=8, depth=0, images=40, crop=32)
upsampler.train_upsampler(Path(sys.argv[1]), Path(sys.argv[2]), config, command="test")
"""


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_killed_run_ends_with_the_weights_of_one_that_was_left_alone(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    io.imsave(photos / "coffee.png", np.ascontiguousarray(data.coffee()[:64, :80]))
    for out, kills in (("whole.safetensors", ()), ("killed.safetensors", (4, 6))):
        for step in (*kills, 0):
            words = [sys.executable, "-c", PROGRAM, str(photos), str(tmp_path / out), str(step)]
            done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=240)
            assert done.returncode == (-signal.SIGKILL if step else 0), done.stderr
            assert (tmp_path / f"{out}.run").exists() == bool(step)  # it goes when the weights stand
            assert (tmp_path / out).exists() == (not step)
    ours, theirs = (load_file(tmp_path / out) for out in ("whole.safetensors", "killed.safetensors"))
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


def test_the_seed_fixes_the_run(tmp_path):
    config = UpsamplerTraining(width=8, depth=0, images=12, crop=32)
    first, second = (train(tmp_path / name, config)[0].network for name in "ab")
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_run_goes_on_from_weights(tmp_path):
    trained = train(tmp_path / "start", SMALL)[0]
    start = trained.ema.applied_to(trained.network)
    kept = {name: tensor.clone() for name, tensor in start.state_dict().items()}
    config = UpsamplerTraining(images=40, crop=32, learning_rate=1e-4)
    going_on, losses = train(tmp_path / "on", config, start)
    _, fresh = train(tmp_path / "fresh", config)
    assert going_on.network.config == start.config
    assert np.mean(losses) < 0.8 * np.mean(fresh)
    assert all(torch.equal(tensor, kept[name]) for name, tensor in start.state_dict().items())


def test_time_ends_the_run(tmp_path):
    config = UpsamplerTraining(width=8, depth=0, images=10**9, crop=32, max_minutes=0.02)
    run, _ = train(tmp_path, config)
    assert 4 <= run.images < 10**6
    assert run.finished


def test_a_loss_that_is_not_finite_is_told_with_its_remedy(tmp_path):
    run = UpsamplerRun(UpsamplerRunOptions(UpsamplerTraining(width=8, depth=0, crop=32)), tmp_path, [stripes()])
    with torch.no_grad():
        run.network.tail.bias.fill_(torch.nan)
    with pytest.raises(TrainingError, match="the loss term is nan after 4 crops.*smaller --learning-rate"):
        Loop(run, 4).run()


def test_a_stop_is_told_and_keeps_the_folder(tmp_path, monkeypatch):
    io.imsave(tmp_path / "coffee.png", np.ascontiguousarray(data.coffee()[:64, :80]))
    monkeypatch.setattr(Loop, "run", lambda self: "SIGINT")
    out = tmp_path / "step.safetensors"
    with pytest.raises(TrainingError, match="stopped by SIGINT after 0 crops; the same command goes on"):
        train_upsampler(tmp_path, out, UpsamplerTraining(width=8, depth=0, images=8, crop=32))
    assert not out.exists()


def test_crops_come_from_the_photographs():
    marked = torch.arange(64.0).view(1, 8, 8).repeat_interleave(5, 1).repeat_interleave(5, 2).expand(3, 40, 40)
    config = UpsamplerTraining(crop=32, batch_size=6, soft_share=0, enlarged_share=0)
    crops = random_crops([LabPhotograph.from_lab(marked)], config, np.random.default_rng(0))
    assert crops.shape == (6, 3, 32, 32)
    assert crops.dtype == torch.float32
    assert set(crops.unique().tolist()) <= set(range(64))


def test_crops_are_drawn_where_colour_is_lost():
    lab = torch.full((3, 128, 192), 50.0)
    lab[1:] = 0
    lab[0, 100:, 150:], lab[1, 100:, 150:] = 80, 40  # the only edge, in the last corner
    photograph, rng = LabPhotograph.from_lab(lab), np.random.default_rng(0)
    lossy, anywhere = (np.array([photograph.place(32, kind, rng) for _ in range(200)]) for kind in (True, False))
    assert (lossy >= 0).all()
    assert (lossy <= (96, 160)).all()
    touches = [((p + 32 > (100, 150)).all(axis=1)).mean() for p in (lossy, anywhere)]
    assert touches[0] > 0.95
    assert touches[1] < 0.3


def test_edges_weigh_more():
    L = torch.zeros(1, 1, 16, 16)
    L[..., 8:] = 80
    truth = torch.zeros(1, 2, 16, 16)
    at_edge, away = truth.clone(), truth.clone()
    at_edge[..., 8], away[..., 2] = 5, 5
    excess = [octave_loss(ab, truth, L, 3.0).square() - 1 for ab in (at_edge, away)]
    assert excess[0] > 5 * excess[1]
    torch.testing.assert_close(octave_loss(at_edge, truth, L, 0.0), (F.mse_loss(at_edge, truth) * 2 + 1).sqrt())


def test_folders_and_photographs(tmp_path):
    with pytest.raises(DataError, match="no photograph"):
        find_photo_files(tmp_path / "absent", is_training_name)
    with pytest.raises(DataError, match="no photograph"):
        find_photo_files(tmp_path, is_training_name)
    (tmp_path / "deep").mkdir()
    picture = data.coffee()[:40, :50]
    io.imsave(tmp_path / "deep" / "coffee.png", picture)
    (path,) = find_photo_files(tmp_path, is_training_name)
    np.testing.assert_allclose(read_photograph(path).permute(1, 2, 0).numpy() * 255, picture, atol=1e-3)
    assert load_lab([path], 40)[0].lab.shape == (3, 40, 50)
    with pytest.raises(DataError, match="lower --crop"):
        load_lab([path], 48)
    (tmp_path / "broken.png").write_text("text")
    with pytest.raises(ReadError, match="broken"):
        read_photograph(tmp_path / "broken.png")


@pytest.mark.parametrize("wrong", [{"crop": 20}, {"images": 0}, {"learning_rate": 0.0}, {"smooth_share": 2.0}])
def test_wrong_options_are_refused(wrong):
    with pytest.raises(UsageError):
        UpsamplerTraining(**wrong)


def test_saved_file_loads_bit_equal(tmp_path):
    network = ChromaUpsampler(width=8, depth=1)
    torch.nn.init.normal_(network.tail.weight)
    path = tmp_path / "new" / "weights.safetensors"
    save(network, path, "chromagan train-upsampler --data DATA/photos")
    loaded = load_upsampler(path)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name])
    card = read_weights(path)[1]
    assert card.model == "chroma_upsampler"
    assert card.command == "chromagan train-upsampler --data DATA/photos"
    assert [child.name for child in path.parent.iterdir()] == [path.name]


def test_unwritable_place_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="weights.safetensors"):
        save(ChromaUpsampler(width=8), tmp_path / "file" / "weights.safetensors", "")
