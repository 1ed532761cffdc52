"""As much of GIMP 3 as the plug-in needs, as `gi.repository` gives it; layers are Pillow's pictures."""

import enum
import sys
from types import ModuleType, SimpleNamespace

from PIL import Image as Picture

from tests.adapters.hosts.recorded import as_recorded, recording

API = recording("gimp")
VALUES = {name: enum.Enum(name, members) for name, members in API["values"].items()}
MODES = {"RGB": "RGBA", "GRAY": "LA"}  # of layers, by the image's kind


@as_recorded(API["Layer"])
class Layer:
    def __init__(self, image, picture, name="Background", offsets=(0, 0)):
        self._image, self._picture, self._name, self._offsets = image, picture, name, offsets
        self._mode, self._opacity, self._visible, self._mask = VALUES["LayerMode"].NORMAL, 100.0, True, None

    @staticmethod
    def new_from_drawable(drawable, dest_image):
        copy = Layer(dest_image, drawable._picture.copy(), drawable._name, drawable._offsets)
        copy._mode, copy._opacity, copy._visible = drawable._mode, drawable._opacity, drawable._visible
        copy._mask = drawable._mask
        return copy

    def get_image(self):
        return self._image

    def get_parent(self):
        return None

    def get_width(self):
        return self._picture.width

    def get_height(self):
        return self._picture.height

    def get_offsets(self):
        return (True, *self._offsets)

    def get_mask(self):
        return self._mask

    def remove_mask(self, mode):
        assert mode in VALUES["MaskApplyMode"]
        self._mask = None

    def set_offsets(self, offx, offy):
        self._offsets = (offx, offy)

    def set_mode(self, mode):
        assert mode in VALUES["LayerMode"]
        self._mode = mode

    def set_opacity(self, opacity):
        self._opacity = opacity

    def set_visible(self, visible):
        self._visible = visible

    def set_name(self, name):
        self._name = name

    def resize_to_image_size(self):
        grown = Picture.new(self._picture.mode, self._image._size)
        grown.paste(self._picture, self._offsets)
        self._picture, self._offsets = grown, (0, 0)


@as_recorded(API["Image"])
class Image:
    def __init__(self, size, kind="RGB"):
        self._size, self._kind, self._layers, self._selected = size, kind, [], []
        self._undo, self._deleted = [], False

    @staticmethod
    def new_with_precision(width, height, type, precision):
        assert precision in VALUES["Precision"]
        return Image((width, height), type.name)

    def get_base_type(self):
        return VALUES["ImageBaseType"][self._kind]

    def get_precision(self):
        return VALUES["Precision"].U8_NON_LINEAR

    def get_color_profile(self):
        return None

    def set_color_profile(self, profile):
        assert profile is not None, "GIMP: data does not appear to be an ICC color profile"

    def get_layer_by_name(self, name):
        return next((layer for layer in self._layers if layer._name == name), None)

    def get_item_position(self, item):
        return self._layers.index(item)

    def insert_layer(self, layer, parent, position):
        assert layer._image is self
        assert layer._picture.mode == MODES[self._kind]
        self._layers.insert(position, layer)

    def set_selected_layers(self, layers):
        self._selected = layers

    def convert_rgb(self):
        assert self._kind == "GRAY"
        self._kind = "RGB"
        for layer in self._layers:
            layer._picture = layer._picture.convert("RGBA")

    def undo_group_start(self):
        self._undo.append("start")

    def undo_group_end(self):
        self._undo.append("end")

    def delete(self):
        self._deleted = True


@as_recorded(API["ImageProcedure"])
class ImageProcedure:
    def __init__(self, name, function):
        self._name, self._function, self._options, self._menu = name, function, {}, []

    @staticmethod
    def new(plug_in, name, proc_type, run_func, *data):
        return ImageProcedure(name, run_func)

    def set_image_types(self, image_types):
        self._types = image_types

    def set_sensitivity_mask(self, sensitivity_mask):
        assert sensitivity_mask in VALUES["ProcedureSensitivityMask"]

    def set_menu_label(self, menu_label):
        self._menu.append(menu_label)

    def add_menu_path(self, menu_path):
        self._menu.append(menu_path)

    def set_documentation(self, blurb, help, help_id):
        assert help_id == self._name

    def set_attribution(self, authors, copyright, date):
        assert authors

    def add_string_argument(self, name, nick, blurb, value, flags):
        self._options[name] = value

    def add_double_argument(self, name, nick, blurb, min, max, value, flags):
        assert min <= value <= max
        self._options[name] = value

    def new_return_values(self, status, error):
        return status.name, error and str(error)


class PlugIn:
    __gtype__ = "a type"


@as_recorded(API["Gimp"])
class Gimp:
    @staticmethod
    def main(plug_in_type, argv):
        assert plug_in_type == PlugIn.__gtype__

    @staticmethod
    def file_save(run_mode, image, file, options):
        whole = Picture.new(MODES[image._kind], image._size)
        for layer in reversed(image._layers):
            assert layer._visible
            whole.paste(layer._picture, layer._offsets)
        whole.save(file)
        return True

    @staticmethod
    def file_load_layer(run_mode, image, file):
        with Picture.open(file) as picture:
            return Layer(image, picture.convert(MODES[image._kind]), "photo-layer.png")

    @staticmethod
    def displays_flush():
        pass

    @staticmethod
    def progress_init(message):
        assert message

    @staticmethod
    def progress_pulse():
        pass


@as_recorded(API["ProcedureDialog"])
class ProcedureDialog:
    _agreed = True

    @staticmethod
    def new(procedure, config, title):
        return _Shown()

    def fill(self, properties):
        assert properties is None


class _Shown(ProcedureDialog):
    def run(self):  # GTK's
        return ProcedureDialog._agreed

    def destroy(self):
        pass


@as_recorded(API["GimpUi"])
class GimpUi:
    @staticmethod
    def init(prog_name):
        assert prog_name


def installed(monkeypatch):
    """Put it where `import gi` looks; returns the module of GIMP."""
    for name, value in VALUES.items():
        setattr(Gimp, name, value)
    Gimp.Image, Gimp.Layer, Gimp.ImageProcedure, Gimp.PlugIn = Image, Layer, ImageProcedure, PlugIn
    GimpUi.ProcedureDialog = ProcedureDialog
    gi, repository = ModuleType("gi"), ModuleType("gi.repository")
    gi.require_version = lambda name, version: None
    repository.Gimp, repository.GimpUi = Gimp, GimpUi
    repository.Gio = SimpleNamespace(File=SimpleNamespace(new_for_path=str))
    repository.GLib = SimpleNamespace(Error=RuntimeError)
    repository.GObject = SimpleNamespace(ParamFlags=SimpleNamespace(READWRITE=3))
    monkeypatch.setitem(sys.modules, "gi", gi)
    monkeypatch.setitem(sys.modules, "gi.repository", repository)
    return Gimp
