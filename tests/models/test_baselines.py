"""The two baselines: constant answers of the contract's shape, through every door that networks use."""

import cv2
import numpy as np
import pytest
import torch
from skimage import color

from chromagan import Colorizer, create_model
from chromagan.apps.cli.main import main
from chromagan.errors import ModelError, WeightsError
from chromagan.models.baselines import MEAN_AB
from chromagan.models.registry import build_network
from chromagan.pretrained.create import load_model
from chromagan.pretrained.store import save_weights


@pytest.mark.parametrize("size", [(1, 1), (5, 9), (64, 33)])
@pytest.mark.parametrize(("name", "ab"), [("gray", (0, 0)), ("mean", MEAN_AB)])
def test_the_answer_is_constant_and_has_the_shape_of_the_contract(name, ab, size):
    network = build_network(name)
    answer = network(100 * torch.rand(3, 1, *size)).ab
    rows, columns = (-(-side // network.ab_stride) for side in size)
    assert answer.shape == (3, 2, rows, columns)
    assert answer.dtype == torch.float32
    assert torch.equal(answer, torch.tensor(ab).float().view(1, 2, 1, 1).expand_as(answer))


def test_the_mean_is_a_setting_and_travels_with_the_configuration(tmp_path):
    network = build_network("mean", ab=(-3, 4.5))
    assert build_network("mean", **network.config)(torch.zeros(1, 1, 8, 8)).ab[0, :, 0, 0].tolist() == [-3, 4.5]
    save_weights(tmp_path / "mean.safetensors", network, model="mean", config=network.config, command="a test")
    loaded, card = load_model(tmp_path / "mean.safetensors")
    assert card.config == {"ab": [-3.0, 4.5]}
    assert loaded(torch.zeros(1, 1, 8, 8)).ab[0, :, 0, 0].tolist() == [-3, 4.5]


@pytest.mark.parametrize("ab", [(1,), (1, 2, 3), (float("nan"), 0)])
def test_a_mean_is_two_finite_numbers(ab):
    with pytest.raises(ModelError, match="give two numbers|each a number from -128 to 128"):
        build_network("mean", ab=ab)


def test_the_default_is_near_the_mean_colour_of_imagenet():
    lab = color.rgb2lab(np.array([[[0.485, 0.456, 0.406]]]))[0, 0]
    assert np.linalg.norm(lab[1:] - MEAN_AB) < 2.5


def test_they_need_no_weights():
    assert create_model("mean", pretrained=True, ab=(1, 2)).config == {"ab": [1.0, 2.0]}
    assert create_model("gray", pretrained=True).config == {}
    with pytest.raises(WeightsError, match="no weights are shipped"):
        Colorizer.from_pretrained("chromagan_paper")


def test_the_colorizer_paints_the_mean_and_leaves_gray():
    ramp = np.tile(np.arange(60, 200, dtype=np.uint8), (40, 1))
    gray = Colorizer.from_pretrained("gray", device="cpu")(ramp)
    assert np.array_equal(gray, np.repeat(ramp[..., None], 3, axis=2))
    painted = Colorizer.from_pretrained("mean", device="cpu")(ramp)
    lab = color.rgb2lab(painted)
    assert np.abs(lab[..., 1:].mean(axis=(0, 1)) - MEAN_AB).max() < 0.2
    assert np.abs(lab[..., 0] - color.rgb2lab(gray)[..., 0]).max() < 0.5


def test_a_gray_photo_is_not_saved_as_a_colorized_one(tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "photo.png"), np.full((24, 32), 120, np.uint8))
    words = ["sample", str(tmp_path / "photo.png"), "--device", "cpu", "-o", str(tmp_path / "out")]
    assert main([*words, "--model", "gray"]) == 1
    assert "gray" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*"))
    assert main([*words, "--model", "mean"]) == 0
    b, g, r = cv2.imread(str(tmp_path / "out" / "photo.png")).mean(axis=(0, 1))
    assert r > g > b  # sepia


def test_there_is_nothing_to_train(tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "photo.png"), np.random.default_rng(0).integers(0, 255, (48, 48, 3), np.uint8))
    words = ["train", "--model", "mean", "--data", str(tmp_path), "--out", str(tmp_path / "run"), "--no-pretrained"]
    assert main([*words, "--device", "cpu", "--size", "32", "--images", "4"]) == 2
    assert "nothing to train" in capsys.readouterr().err
