"""The Krita plug-in, with objects that have what Krita 5.2.9's have, and the real command."""

import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.adapters.hosts import krita
from tests.adapters.plug_ins import installed, loaded, scene


@pytest.fixture
def plug_in(monkeypatch, tmp_path):
    """Its module, as Krita starts it, and what it has told the user."""
    said = []
    application = krita.installed(monkeypatch, said)
    place = installed("krita", tmp_path / "py krita")
    module = loaded(place / "__init__.py", "chromagan_colorize", place)
    yield SimpleNamespace(module=module, application=application, place=place, said=said, window=krita.Window())
    for name in [name for name in sys.modules if name.startswith("chromagan_colorize")]:
        del sys.modules[name]


def clicked(plug_in, document):
    """What its entry of the menu does."""
    plug_in.application._document = document
    (extension,) = plug_in.application._extensions
    extension.setup()
    extension.createActions(plug_in.window)
    plug_in.window._slot()


@pytest.mark.process
@pytest.mark.parametrize("mode", ["L", pytest.param("RGBA", marks=pytest.mark.slow)])
def test_a_colour_layer_lies_above_the_photo(plug_in, mode):
    gray = scene()
    document = krita.Document(Image.fromarray(gray).convert(mode))
    photo = document.activeNode()
    clicked(plug_in, document)
    assert plug_in.said == []
    below, colour = document.topLevelNodes()
    assert (below, colour._name, colour._mode) == (photo, "Colour (chromagan)", "color")
    assert (document._model, document._active) == ("RGBA", photo)
    assert all(made._closed for made in plug_in.application._made)
    assert not plug_in.application.batchmode()
    made = np.frombuffer(colour.pixelData(0, 0, 120, 90), np.uint8).reshape(90, 120, 4)
    assert (made[..., :3].max(2).astype(int) - made[..., :3].min(2)).mean() > 1
    lightness = [cv2.cvtColor(one, cv2.COLOR_RGB2LAB)[..., 0] for one in (made[..., :3], np.dstack([gray] * 3))]
    assert cv2.absdiff(*lightness).max() <= 2


@pytest.mark.slow
@pytest.mark.process
def test_hints_are_met(plug_in):
    document = krita.Document(Image.fromarray(scene()).convert("RGBA"))
    hints = np.zeros((90, 120, 4), np.uint8)
    hints[40:50, 35:45] = (200, 40, 30, 255)
    document._root.addChildNode(krita.Node("hints", Image.fromarray(hints), document._root), document.activeNode())
    clicked(plug_in, document)
    assert plug_in.said == []
    red, green, blue = document.nodeByName("Colour (chromagan)")._picture.getpixel((40, 45))[:3]
    assert red > max(green, blue) + 30


def test_its_place_in_the_menus(plug_in):
    clicked(plug_in, None)
    assert plug_in.window._made == ("chromagan_colorize", "Colorize with chromagan", "tools/scripts")
    assert plug_in.said == ["open a photo first"]
    desktop = (plug_in.place.parent / "chromagan_colorize.desktop").read_text()
    assert "X-KDE-Library=chromagan_colorize\n" in desktop
    assert "ServiceTypes=Krita/PythonPlugin\n" in desktop
    assert (plug_in.place / "manual.html").exists()


def test_what_is_wrong_is_one_line(plug_in):
    document = krita.Document(Image.fromarray(scene()).convert("RGBA"))
    document._active._type = "vectorlayer"
    clicked(plug_in, document)
    document._model = "CMYKA"
    clicked(plug_in, document)
    document._model, document._active._type = "RGBA", "paintlayer"
    (plug_in.place / "chromagan_command.json").write_text('["/nowhere/python", "-m", "chromagan"]')
    clicked(plug_in, document)
    assert [line.split(";")[0] for line in plug_in.said] == [
        "choose the layer of the photo", "this is no RGB image", "the chromagan command is not there",
    ]  # fmt: skip
    assert len(document.topLevelNodes()) == 1
