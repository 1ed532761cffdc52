"""Krita: Tools > Scripts > Colorize with chromagan. The chosen layer gets a colour layer above it, of the mode Color.

A layer called `hints`, with strokes of colour on a transparent ground, says which colours belong where.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from krita import Document, Extension, InfoObject, Krita, Node, Window

try:
    from PyQt6.QtWidgets import QMessageBox
except ImportError:  # Krita 5
    from PyQt5.QtWidgets import QMessageBox

from .chromagan_command import COLOURED, HINTS, LAYER_NAME, PHOTO, CommandFailed, colorize

TITLE = "Colorize with chromagan"


def save(document: Document, layer: Node, path: Path) -> None:
    """Write what is seen of a layer as a PNG of the canvas."""
    size = document.width(), document.height()
    space = layer.colorModel(), layer.colorDepth(), layer.colorProfile()
    alone = Krita.instance().createDocument(*size, "chromagan", *space, document.resolution())
    try:
        alone.setBatchmode(True)  # ask nothing about the PNG
        alone.topLevelNodes()[0].setPixelData(layer.projectionPixelData(0, 0, *size), 0, 0, *size)
        alone.refreshProjection()
        if not alone.exportImage(str(path), InfoObject()):
            raise CommandFailed(f"Krita cannot write {path}")
    finally:
        alone.close()


def lay(document: Document, photo: Node, path: Path) -> None:
    """Put the coloured photo above the photo.

    Krita's Color keeps luma, not L*: colours at the photo's own lightness stay as they are, those of a layer of one
    lightness would grow in the dark.
    """
    if document.colorModel() == "GRAYA":
        document.setColorSpace("RGBA", document.colorDepth(), "")
    width, height = document.width(), document.height()
    application = Krita.instance()
    batch = application.batchmode()
    application.setBatchmode(True)  # ask nothing about the profile of a PNG of 16 bits
    try:
        loaded = application.openDocument(str(path))
    finally:
        application.setBatchmode(batch)
    try:
        pixels = loaded.topLevelNodes()[0]
        pixels.setColorSpace(document.colorModel(), document.colorDepth(), document.colorProfile())
        layer = document.createNode(LAYER_NAME, "paintlayer")
        layer.setPixelData(pixels.pixelData(0, 0, width, height), 0, 0, width, height)
    finally:
        loaded.close()
    layer.setBlendingMode("color")
    photo.parentNode().addChildNode(layer, photo)
    document.setActiveNode(photo)
    document.refreshProjection()


def colour(document: Document, photo: Node | None) -> None:
    """From the layer of the photo to the colour layer above it."""
    if document.colorModel() not in ("RGBA", "GRAYA"):
        raise CommandFailed("this is no RGB image; Image > Convert Image Color Space makes one of it")
    if photo is None or photo.type() not in ("paintlayer", "grouplayer", "filelayer"):
        raise CommandFailed("choose the layer of the photo")
    hints = document.nodeByName("hints")
    model = Krita.instance().readSetting("chromagan", "model", "chromagan")
    with tempfile.TemporaryDirectory(prefix="chromagan-") as folder:
        save(document, photo, Path(folder, PHOTO))
        if hints is not None and hints != photo:
            save(document, hints, Path(folder, HINTS))
        colorize(folder, model=model)
        lay(document, photo, Path(folder, COLOURED))


class Colorize(Extension):
    """The entry of the menu."""

    def setup(self) -> None:
        """Nothing, once."""

    def createActions(self, window: Window) -> None:  # noqa: N802 (Krita's name)
        """Once a window."""
        window.createAction("chromagan_colorize", TITLE, "tools/scripts").triggered.connect(self.run)

    def run(self) -> None:
        """Colorize the photo that is open, or say why not."""
        document = Krita.instance().activeDocument()
        try:
            if document is None:
                raise CommandFailed("open a photo first")
            colour(document, document.activeNode())
        except (CommandFailed, OSError) as error:
            QMessageBox.warning(None, TITLE, str(error))


Krita.instance().addExtension(Colorize(Krita.instance()))
