import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage import data, io

from chromagan.color.lab import rgb_to_lab
from chromagan.errors import DataError, ReadError, UsageError, WriteError
from chromagan.files.find import find_photo_files
from chromagan.files.suffixes import is_training_name
from chromagan.models.chroma_upsampler import ChromaUpsampler
from chromagan.pretrained.create import load_upsampler
from chromagan.pretrained.store import read_weights
from chromagan.training.upsampler import (
    LabPhotograph,
    UpsamplerTraining,
    load_lab,
    octave_loss,
    random_crops,
    read_photograph,
    save_upsampler,
    train_steps,
)

SMALL = UpsamplerTraining(width=8, depth=1, images=480, batch_size=4, crop=32, enlarged_share=0.0)


def stripes():
    """Lab of slanted stripes in two colours of different lightness: where L steps, ab steps."""
    rows, columns = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    red = ((rows + 2 * columns) % 37 < 17).float()
    rgb = torch.stack((0.2 + 0.6 * red, 0.3 * torch.ones_like(red), 0.7 - 0.6 * red))
    return LabPhotograph.from_lab(rgb_to_lab(rgb))


def test_a_short_run_lowers_the_loss():
    network, losses = train_steps([stripes()], SMALL)
    assert len(losses) == 120
    assert np.mean(losses[-30:]) < 0.85 * np.mean(losses[:30])
    assert not network.training


def test_the_seed_fixes_the_run():
    config = UpsamplerTraining(width=8, depth=0, images=12, crop=32)
    first, second = (train_steps([stripes()], config)[0] for _ in range(2))
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_run_goes_on_from_weights():
    start, _ = train_steps([stripes()], SMALL)
    kept = {name: tensor.clone() for name, tensor in start.state_dict().items()}
    config = UpsamplerTraining(images=40, crop=32, learning_rate=1e-4)
    going_on, losses = train_steps([stripes()], config, start=start)
    _, fresh = train_steps([stripes()], config)
    assert going_on.config == start.config
    assert np.mean(losses) < 0.8 * np.mean(fresh)
    assert all(torch.equal(tensor, kept[name]) for name, tensor in start.state_dict().items())


def test_time_ends_the_run():
    seen = []
    config = UpsamplerTraining(width=8, depth=0, images=10**9, crop=32, max_minutes=0.02)
    train_steps([stripes()], config, lambda crops, loss: seen.append(crops))
    assert 4 <= seen[-1] < 10**6


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
    save_upsampler(network, path, "chromagan train-upsampler --data DATA/photos")
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
        save_upsampler(ChromaUpsampler(width=8), tmp_path / "file" / "weights.safetensors", "")
