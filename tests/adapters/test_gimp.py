"""The GIMP plug-in, with objects that have what GIMP 3.0.4's have, and the real command."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tests.adapters.hosts import gimp
from tests.adapters.plug_ins import installed, loaded, scene


@pytest.fixture
def plug_in(monkeypatch, tmp_path):
    """Its module, as GIMP starts it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    host = gimp.installed(monkeypatch)
    place = installed("gimp", tmp_path / "plug ins")
    monkeypatch.syspath_prepend(place)
    monkeypatch.delitem(sys.modules, "chromagan_command", raising=False)
    made = loaded(place / "chromagan-colorize.py", "chromagan_colorize_for_gimp")
    yield SimpleNamespace(module=made, host=host, place=place, procedure=made.Colorize().do_create_procedure(made.NAME))
    sys.modules.pop("chromagan_command", None)


def opened(picture, offsets=(0, 0), kind="GRAY"):
    """An image with a photo, and around it as much of a canvas as its offsets say."""
    image = gimp.Image((picture.width + offsets[0], picture.height + offsets[1]), kind)
    image.insert_layer(gimp.Layer(image, picture.convert(gimp.MODES[kind]), offsets=offsets), None, 0)
    return image, image._layers[0]


def run(plug_in, image, layers, mode="NONINTERACTIVE", **changed):
    config = SimpleNamespace(get_property=(plug_in.procedure._options | changed).__getitem__)
    return plug_in.procedure._function(plug_in.procedure, plug_in.host.RunMode[mode], image, layers, config, None)


@pytest.mark.process
def test_a_colour_layer_lies_above_the_photo(plug_in):
    image, photo = opened(Image.fromarray(scene()), offsets=(10, 20))
    hints = np.zeros((110, 130, 4), np.uint8)
    hints[60:70, 45:55] = (200, 40, 30, 255)  # on the disc, in the image's own coordinates
    image.convert_rgb()
    image.insert_layer(gimp.Layer(image, Image.fromarray(hints), "hints"), None, 0)
    assert run(plug_in, image, [photo]) == ("SUCCESS", None)
    _, colour, below = image._layers
    assert (below, colour._name) == (photo, "Colour (chromagan)")
    assert (colour._mode, colour._offsets) == (plug_in.host.LayerMode.LCH_COLOR, (10, 20))
    assert colour._picture.size == photo._picture.size
    red, green, blue, alpha = np.asarray(colour._picture)[45, 40]
    assert red > green + 40
    assert red > blue + 40
    assert alpha == 255
    assert image._selected == [photo]
    assert image._undo == ["start", "end"]


@pytest.mark.slow
@pytest.mark.process
def test_a_gray_image_becomes_one_of_colours(plug_in):
    image, photo = opened(Image.fromarray(scene()))
    assert run(plug_in, image, [photo], "INTERACTIVE") == ("SUCCESS", None)
    assert (image._kind, len(image._layers)) == ("RGB", 2)
    layer = np.asarray(image._layers[0]._picture)[..., :3].astype(int)
    assert (layer.max(2) - layer.min(2)).mean() > 1


def test_it_asks_and_may_be_told_no(plug_in, monkeypatch):
    monkeypatch.setattr(gimp.ProcedureDialog, "_agreed", False)
    image, photo = opened(Image.fromarray(scene()))
    assert run(plug_in, image, [photo], "INTERACTIVE") == ("CANCEL", None)
    assert image._layers == [photo]


def test_its_place_in_the_menus(plug_in):
    assert plug_in.module.Colorize().do_query_procedures() == [plug_in.module.NAME]
    assert plug_in.procedure._menu == ["Colorize with _chromagan...", "<Image>/Colors"]
    assert plug_in.procedure._options == {"model": "chromagan", "saturation": 1, "warmth": 0}


def test_what_is_wrong_is_one_line(plug_in, monkeypatch, tmp_path):
    image, photo = opened(Image.fromarray(scene()))
    assert run(plug_in, image, [photo, photo]) == ("EXECUTION_ERROR", "choose one layer, the photo")
    (plug_in.place / "chromagan_command.json").write_text('["/nowhere/python", "-m", "chromagan"]')
    status, told = run(plug_in, image, [photo])
    assert status == "EXECUTION_ERROR"
    assert told.startswith("the chromagan command is not there; install chromagan")
    assert image._layers == [photo]
    assert image._undo == []
