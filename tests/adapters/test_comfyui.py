"""The ComfyUI nodes, as ComfyUI finds, asks and calls them, without it."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from chromagan import Colorizer
from tests.adapters.plug_ins import ADAPTERS, loaded, scene

FOLDER = ADAPTERS / "comfyui"


@pytest.fixture(scope="module")
def nodes():
    package = loaded(FOLDER / "__init__.py", "custom_nodes_x_chromagan", FOLDER)
    yield package.NODE_CLASS_MAPPINGS
    for name in [name for name in sys.modules if name.startswith("custom_nodes_x_chromagan")]:
        del sys.modules[name]


def image(*pictures):
    """An IMAGE: (B, H, W, 3) float of gray pictures."""
    return torch.stack([torch.from_numpy(one / np.float32(255))[..., None].expand(-1, -1, 3) for one in pictures])


def colours(height, width):
    """An IMAGE of strong colours, as a model of any kind might make."""
    coarse = torch.rand(1, 3, 6, 8, generator=torch.manual_seed(0))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear").permute(0, 2, 3, 1)


def run(nodes, name, **given):
    """A node with what its widgets show, as ComfyUI calls it."""
    kind = nodes[name]
    inputs = kind.INPUT_TYPES()
    widgets = {one: spec[1]["default"] for one, spec in inputs["required"].items() if len(spec) > 1}
    assert set(given) <= {*inputs["required"], *inputs.get("optional", {})}
    (made,) = getattr(kind(), kind.FUNCTION)(**(widgets | given))
    assert kind.RETURN_TYPES == ("IMAGE",)
    assert made.dtype == torch.float32
    return made


@pytest.mark.process
def test_comfyui_starts_without_torch_or_chromagan():
    program = """
import sys
import comfyui
for node in comfyui.NODE_CLASS_MAPPINGS.values():
    node.INPUT_TYPES()
print(set(sys.modules) & {"torch", "chromagan", "numpy", "PIL"} or "none")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ADAPTERS)
    assert done.stdout == "none\n", done.stderr


def test_each_node_has_a_name_to_show():
    package = loaded(FOLDER / "__init__.py", "custom_nodes_y", FOLDER)
    assert set(package.NODE_DISPLAY_NAME_MAPPINGS) == set(package.NODE_CLASS_MAPPINGS)
    assert package.NODE_DISPLAY_NAME_MAPPINGS["ChromaganKeepLightness"].startswith("Keep Lightness")


def test_colorize_paints_as_a_colorizer_does(nodes):
    batch = [scene(45, 60), scene(45, 60)[:, ::-1].copy(), *[scene(45, 60)] * 3]
    made = run(nodes, "ChromaganColorize", image=image(*batch), saturation=1.2)
    assert made.shape == (5, 45, 60, 3)
    plain = Colorizer.from_pretrained()(image(batch[1])[0].numpy(), saturation=1.2)
    assert np.abs(made[1].numpy() - plain).max() < 2e-3
    assert torch.allclose(made[3], made[4], atol=2e-3)  # of batches of other sizes
    L = [rgb2lab(one)[..., 0] for one in (made[0].numpy(), image(batch[0])[0].numpy())]
    assert np.abs(L[0] - L[1]).max() < 0.01


def test_one_colorizer_is_kept_until_its_weights_are_others(nodes, tmp_path, monkeypatch):
    weights = tmp_path / "mine.safetensors"
    shutil.copy(ADAPTERS.parent / "weights" / "small.safetensors", weights)
    made, kind = [], nodes["ChromaganColorize"]
    real = Colorizer.from_pretrained
    monkeypatch.setattr(Colorizer, "from_pretrained", lambda model: made.append(model) or real(model))
    photo, before = image(scene(30, 40)), kind.IS_CHANGED(image=None, model=str(weights), size=0)
    run(nodes, "ChromaganColorize", image=photo, model=str(weights))
    run(nodes, "ChromaganColorize", image=photo, model=str(weights), warmth=0.5)
    assert len(made) == 1
    weights.write_bytes(weights.read_bytes() + b" ")
    assert kind.IS_CHANGED(image=None, model=str(weights), size=0) != before
    others = [kind.IS_CHANGED(image=None, model=model) for model in ("chromagan", None)]
    assert [*others, nodes["ChromaganKeepLightness"].IS_CHANGED(photo=None)] == [""] * 3


def test_keep_lightness_puts_any_colours_on_the_photo(nodes):
    photo = image(scene())
    made = run(nodes, "ChromaganKeepLightness", photo=photo, colours=colours(90, 120))
    ours, own, wished = (rgb2lab(one[0].double().numpy()) for one in (made, photo, colours(90, 120)))
    assert np.abs(ours[..., 0] - own[..., 0]).max() < 0.01
    chroma, wish = np.hypot(ours[..., 1], ours[..., 2]), np.hypot(wished[..., 1], wished[..., 2])
    assert (chroma < wish + 0.1).all()  # it gives way, and never grows
    met = chroma > wish - 0.1
    assert 0.2 < met.mean() < 1
    assert np.abs(ours[met] - wished[met])[:, 1:].max() < 0.2
    # What is kept of it has the wished hue.
    here, there = ours[..., 1] + 1j * ours[..., 2], wished[..., 1] + 1j * wished[..., 2]
    assert np.abs(np.angle(here * there.conj(), deg=True)[chroma > 5]).max() < 3


def test_keep_lightness_of_another_size_alpha_and_batch(nodes):
    photos = torch.cat([image(scene(), scene()), torch.full((2, 90, 120, 1), 0.25)], dim=3)
    made = run(nodes, "ChromaganKeepLightness", photo=photos, colours=colours(45, 60), saturation=0.5)
    assert made.shape == (2, 90, 120, 4)
    assert torch.allclose(made[..., 3], torch.tensor(0.25), atol=1e-4)
    gray = run(nodes, "ChromaganKeepLightness", photo=photos[..., :1], colours=colours(45, 60), saturation=0.0)
    assert gray.shape == (2, 90, 120, 3)
    assert (gray - photos[..., :1]).abs().max() < 1e-3


def test_hints_are_met_where_the_mask_is(nodes):
    photo, mask = image(scene()), torch.zeros(90, 120)
    mask[42:48, 37:43] = 1
    red = run(nodes, "ChromaganApplyHints", image=photo, mask=mask, colour="#c83c28")
    blue = run(nodes, "ChromaganApplyHints", image=photo, mask=mask[None], colour="#2840c8")
    assert (red - blue)[0, 45, 40, 0] > 0.1 > -0.1 > (red - blue)[0, 45, 40, 2]
    # The same as a picture of hints, which one colour stands for.
    painted = torch.zeros(1, 90, 120, 3)
    painted[..., :] = torch.tensor([0x28, 0x40, 0xC8]) / 255
    again = run(nodes, "ChromaganApplyHints", image=photo, mask=mask, hints=painted)
    assert torch.equal(again, blue)


def test_what_is_wrong_is_said(nodes):
    photo, mask = image(scene(), scene()), torch.zeros(90, 120)
    with pytest.raises(ValueError, match="the mask is the same everywhere"):
        run(nodes, "ChromaganApplyHints", image=photo, mask=mask)
    with pytest.raises(ValueError, match="2 of photo, 3 of colours: give as many of each, or one"):
        run(nodes, "ChromaganKeepLightness", photo=photo, colours=colours(90, 120).expand(3, -1, -1, -1))
    with pytest.raises(ValueError, match="colours is 90 x 120 and the photo 120 x 90: of another shape"):
        run(nodes, "ChromaganKeepLightness", photo=photo, colours=colours(120, 90))


def test_values_a_hair_outside_are_cut_off(nodes):
    photo = image(scene()) * 1.2 - 0.1
    made = run(nodes, "ChromaganColorize", image=photo)
    assert made.min() >= 0
    assert made.max() <= 1
