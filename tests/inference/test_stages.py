"""One way to paint: held-out validation, previews, sheets and the product show the same colours of the same photo."""

import ast
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage import data
from skimage.color import rgb2lab

import chromagan
from chromagan.evaluation.held_out import HeldOut, reduce_and_crop
from chromagan.inference.colorizer import Colorizer
from chromagan.inference.stages import paint
from chromagan.metrics.colourfulness import colourfulness
from chromagan.metrics.psnr import psnr
from chromagan.models.look import Look
from chromagan.models.registry import build_network
from chromagan.pretrained.create import create_model, load_upsampler
from chromagan.pretrained.store import save_weights
from chromagan.training.train import grid

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")
HOMES = {
    "chromagan.inference.stages": {"prepare", "predict", "enlarge", "join"},
    "chromagan.models.look": {"settle", "mixture", "balance"},
    "chromagan.images.enlarge_chroma": {"enlarge_chroma"},
    "chromagan.images.join": {"join_chroma"},
}
# Of the shipped weights, of the four photos: least PSNR in dB, least and most colourfulness.
FLOORS = [(20.0, 41.5, 46.5), (26.8, 25.5, 29.0), (18.3, 33.5, 38.0), (25.2, 40.0, 44.0)]
LOOK = Look(size=96, saturation=1.3, typical_chroma=13.6, annealed_share=0.5)


@pytest.fixture(scope="module")
def photos():
    return [reduce_and_crop(np.ascontiguousarray(getattr(data, name)()[..., :3]), 256) for name in PHOTOS]


@pytest.fixture(scope="module")
def shipped():
    return Colorizer.from_pretrained("chromagan", device="cpu")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A file whose network has bins and makes strong colours, with a look that uses all of it."""
    torch.manual_seed(3)
    options = {"backbone": "tf_efficientnet_lite2", "classes": 0}
    network = build_network("chromagan", **options)
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            if name.startswith(("ab.", "to_ab", "head")) and tensor.ndim > 1:
                tensor.mul_(40)
    path = tmp_path_factory.mktemp("weights") / "a.safetensors"
    save_weights(path, network, model="chromagan", config=network.config, command="", look=LOOK)
    return path


def moved(picture, L):
    """By how many 8-bit levels of gray the lightness of a picture differs from what it should be; (H, W) each."""
    codes = rgb2lab(np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2))[:, 0, 0]
    return np.abs(np.interp(rgb2lab(picture)[..., 0], codes, np.arange(256)) - np.interp(L, codes, np.arange(256)))


def test_held_out_figures_are_those_of_the_product(exported, photos, tmp_path):
    for index, photo in enumerate(photos):
        cv2.imwrite(str(tmp_path / f"{index}.png"), photo[..., ::-1])
    colorizer = Colorizer.from_pretrained(exported, device="cpu")
    assert colorizer.look == LOOK
    made = colorizer(photos)
    network = create_model("chromagan", weights=exported).eval()
    found = HeldOut(tmp_path, 256, ("psnr", "colourfulness"), look=LOOK).evaluate(network)
    assert found["colourfulness"] == pytest.approx(np.mean([colourfulness(one) for one in made]), abs=0.01)
    assert found["psnr"] == pytest.approx(np.mean([psnr(*pair) for pair in zip(made, photos, strict=True)]), abs=0.002)
    plain = HeldOut(tmp_path, 256, ("psnr", "colourfulness")).evaluate(network)
    assert abs(plain["colourfulness"] - found["colourfulness"]) > 1  # the look does something here


def test_the_tensor_and_the_picture_way_agree(exported, photos):
    colorizer = Colorizer.from_pretrained(exported, device="cpu")
    for photo in photos:
        L = torch.from_numpy(rgb2lab(photo)[..., 0].astype(np.float32))[None, None]
        step = load_upsampler()
        ours = paint(colorizer.network, L, look=colorizer.look, step=step)[0].permute(1, 2, 0).numpy()
        difference = np.abs(ours.astype(int) - colorizer(photo))
        assert difference.max() <= 2
        assert difference.mean() < 0.02


def test_no_painting_moves_lightness(shipped, exported, photos):
    bold = Colorizer.from_pretrained(exported, device="cpu")
    for photo in photos:
        L = rgb2lab(photo)[..., 0]
        truth = torch.from_numpy(photo).permute(2, 0, 1)[None]
        lightness = torch.from_numpy(L.astype(np.float32))[None, None]
        for colorizer in (shipped, bold):
            sheet = grid(colorizer.network, truth, colorizer.look).permute(1, 2, 0).numpy()
            preview = sheet[:, photo.shape[1] : 2 * photo.shape[1]]
            held_out = paint(colorizer.network, lightness, look=colorizer.look)[0].permute(1, 2, 0).numpy()
            for picture in (colorizer(photo, saturation=1.5), colorizer(photo), preview, held_out):
                levels = moved(picture, L)
                assert levels.max() <= 0.65
                assert levels.mean() < 0.2


def test_shipped_weights_keep_their_colours(shipped, photos):
    """A floor under what a change of the path could spoil without any other test's notice."""
    made = shipped(photos)
    figures = [(psnr(*pair), colourfulness(pair[0])) for pair in zip(made, photos, strict=True)]
    for (decibels, colour), (least, shy, bold) in zip(figures, FLOORS, strict=True):
        assert decibels >= least
        assert shy <= colour <= bold


def stage_functions_of(path):
    """The stage functions that a module uses: imported by name, or asked of the module that has them."""
    used = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module in HOMES:
            used |= {alias.name for alias in node.names} & HOMES[node.module]
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "stages":
            used |= {node.attr} & HOMES["chromagan.inference.stages"]
    return {name.removesuffix("_chroma") for name in used}


def test_the_order_of_the_stages_is_told_once():
    root = Path(chromagan.__file__).parent
    callers = {str(path.relative_to(root)): stage_functions_of(path) for path in root.rglob("*.py")}
    # An ONNX graph crops between two of them, and is compared with their order when it is written.
    graphs = "pretrained/onnx_graphs.py"
    assert {path for path, used in callers.items() if len(used) > 1} - {graphs} == {"inference/stages.py"}
    assert callers[graphs] == {"settle", "mixture", "balance"}
    assert callers["inference/stages.py"] >= {"settle", "enlarge", "join"}
