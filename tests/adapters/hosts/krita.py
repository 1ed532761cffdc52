"""As much of Krita as the plug-in needs; a layer's pixels are Pillow's, of the document's size."""

import sys
from types import ModuleType, SimpleNamespace

from PIL import Image

from tests.adapters.hosts.recorded import as_recorded, recording

API = recording("krita")
MODES = {"RGBA": "RGBA", "GRAYA": "LA"}
MODELS = {"RGBA": "RGBA", "RGB": "RGBA", "L": "GRAYA", "LA": "GRAYA"}


@as_recorded(API["Node"])
class Node:
    def __init__(self, name, picture=None, parent=None, model="RGBA"):
        self._name, self._picture, self._parent, self._model = name, picture, parent, model
        self._children, self._mode, self._type = [], "normal", "paintlayer"

    def __eq__(self, other):
        return self is other

    __hash__ = object.__hash__

    def type(self):
        return self._type

    def colorModel(self):
        return self._model

    def colorDepth(self):
        return "U8"

    def colorProfile(self):
        return "sRGB"

    def setColorSpace(self, colorModel, colorDepth, colorProfile):
        self._picture, self._model = self._picture.convert(MODES[colorModel]), colorModel
        return True

    def parentNode(self):
        return self._parent

    def addChildNode(self, child, above):
        self._children.insert(self._children.index(above) + 1, child)
        return True

    def setBlendingMode(self, value):
        self._mode = value

    def pixelData(self, x, y, w, h):
        return self._picture.crop((x, y, x + w, y + h)).tobytes()

    def projectionPixelData(self, x, y, w, h):
        return self.pixelData(x, y, w, h)

    def setPixelData(self, value, x, y, w, h):
        self._picture = Image.frombytes(MODES[self._model], (w, h), value)


@as_recorded(API["Document"])
class Document:
    def __init__(self, picture, name="Background"):
        self._size, self._model, self._closed, self._batch = picture.size, MODELS[picture.mode], False, False
        self._root = Node("root")
        self._root._children = [Node(name, picture.convert(MODES[self._model]), self._root, self._model)]
        self._active = self._root._children[0]

    def width(self):
        return self._size[0]

    def height(self):
        return self._size[1]

    def resolution(self):
        return 300

    def colorModel(self):
        return self._model

    def colorDepth(self):
        return "U8"

    def colorProfile(self):
        return "sRGB"

    def setColorSpace(self, value, colorDepth, colorProfile):
        for node in self._root._children:
            node.setColorSpace(value, colorDepth, colorProfile)
        self._model = value
        return True

    def topLevelNodes(self):
        return self._root._children

    def nodeByName(self, node):
        return next((one for one in self._root._children if one._name == node), None)

    def createNode(self, name, nodeType):
        return Node(name, parent=self._root, model=self._model)

    def activeNode(self):
        return self._active

    def setActiveNode(self, value):
        self._active = value

    def refreshProjection(self):
        pass

    def setBatchmode(self, value):
        self._batch = value

    def exportImage(self, filename, exportConfiguration):
        assert self._batch, "Krita would ask"
        self._root._children[0]._picture.save(filename)
        return True

    def close(self):
        self._closed = True
        return True


@as_recorded(API["Krita"])
class Krita:
    _only = None

    @staticmethod
    def instance():
        return Krita._only

    def __init__(self):
        self._document, self._made, self._extensions, self._batch = None, [], [], False

    def batchmode(self):
        return self._batch

    def setBatchmode(self, value):
        self._batch = value

    def activeDocument(self):
        return self._document

    def createDocument(self, width, height, name, colorModel, colorDepth, profile, resolution):
        self._made.append(Document(Image.new(MODES[colorModel], (width, height))))
        return self._made[-1]

    def openDocument(self, filename):
        assert self._batch, "Krita would ask about a PNG of 16 bits"
        with Image.open(filename) as picture:
            picture.load()
        self._made.append(Document(picture))
        return self._made[-1]

    def readSetting(self, group, name, defaultValue):
        return defaultValue

    def addExtension(self, _extension):
        self._extensions.append(_extension)


@as_recorded(API["Window"])
class Window:
    def createAction(self, id, text, menuLocation):
        self._made = (id, text, menuLocation)
        return SimpleNamespace(triggered=SimpleNamespace(connect=self._connect))

    def _connect(self, slot):
        self._slot = slot


def installed(monkeypatch, said):
    """Put it where `import krita` looks, with a message box that adds to `said`; returns the application."""
    Krita._only = Krita()
    krita, qt, widgets = ModuleType("krita"), ModuleType("PyQt6"), ModuleType("PyQt6.QtWidgets")
    krita.Krita, krita.InfoObject = Krita, dict
    krita.Document, krita.Node, krita.Window = Document, Node, Window
    krita.Extension = type("Extension", (), {"__init__": lambda self, parent: None})
    widgets.QMessageBox = SimpleNamespace(warning=lambda parent, title, text: said.append(text))
    for name, module in (("krita", krita), ("PyQt6", qt), ("PyQt6.QtWidgets", widgets)):
        monkeypatch.setitem(sys.modules, name, module)
    return Krita._only
