#!/usr/bin/env python3
"""GIMP 3: Colors > Colorize with chromagan. The chosen layer gets a colour layer above it, of the mode LCh color.

A layer called `hints`, with strokes of colour on a transparent ground, says which colours belong where.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("GimpUi", "3.0")
from gi.repository import Gimp, GimpUi, Gio, GLib, GObject  # noqa: E402

sys.path[1:1] = [str(Path(__file__).resolve().parents[2])]  # where it stands in chromagan's own adapters/
from chromagan_command import HINTS, LAYER, LAYER_NAME, PHOTO, CommandFailed, colorize  # noqa: E402

NAME = "plug-in-chromagan-colorize"


def save(layer: Gimp.Layer, place: tuple[int, int, int, int], path: Path) -> None:
    """Write a layer as a PNG that covers a place, (x, y, width, height), of its image."""
    image, (x, y, width, height) = layer.get_image(), place
    alone = Gimp.Image.new_with_precision(width, height, image.get_base_type(), image.get_precision())
    try:
        if image.get_color_profile():
            alone.set_color_profile(image.get_color_profile())
        copy = Gimp.Layer.new_from_drawable(layer, alone)
        alone.insert_layer(copy, None, 0)
        if copy.get_mask():
            copy.remove_mask(Gimp.MaskApplyMode.DISCARD)
        copy.set_mode(Gimp.LayerMode.NORMAL)
        copy.set_opacity(100)
        copy.set_visible(True)
        _, left, top = layer.get_offsets()
        copy.set_offsets(left - x, top - y)
        copy.resize_to_image_size()
        if not Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, alone, Gio.File.new_for_path(str(path)), None):
            raise CommandFailed(f"GIMP cannot write {path}")
    finally:
        alone.delete()


def lay(image: Gimp.Image, photo: Gimp.Layer, path: Path) -> None:
    """Put the colour layer of a file above the photo; one step to undo."""
    _, x, y = photo.get_offsets()
    image.undo_group_start()
    try:
        if image.get_base_type() == Gimp.ImageBaseType.GRAY:
            image.convert_rgb()
        layer = Gimp.file_load_layer(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path(str(path)))
        image.insert_layer(layer, photo.get_parent(), image.get_item_position(photo))
        layer.set_name(LAYER_NAME)
        layer.set_mode(Gimp.LayerMode.LCH_COLOR)
        layer.set_offsets(x, y)
        image.set_selected_layers([photo])
    finally:
        image.undo_group_end()
    Gimp.displays_flush()


def colour(image: Gimp.Image, drawables: list[Gimp.Drawable], options: dict[str, Any]) -> None:
    """From the chosen layer to the colour layer above it."""
    if len(drawables) != 1 or not isinstance(drawables[0], Gimp.Layer):
        raise CommandFailed("choose one layer, the photo")
    photo, hints = drawables[0], image.get_layer_by_name("hints")
    _, x, y = photo.get_offsets()
    place = (x, y, photo.get_width(), photo.get_height())
    Gimp.progress_init("Colorizing")
    with tempfile.TemporaryDirectory(prefix="chromagan-") as folder:
        save(photo, place, Path(folder, PHOTO))
        if hints and hints != photo:
            save(hints, place, Path(folder, HINTS))
        colorize(folder, Gimp.progress_pulse, **options)
        lay(image, photo, Path(folder, LAYER))


def run(procedure: Any, run_mode: Any, image: Gimp.Image, drawables: list[Gimp.Drawable], config: Any, _: Any) -> Any:
    """What GIMP calls."""
    if run_mode == Gimp.RunMode.INTERACTIVE:
        GimpUi.init(NAME)
        dialog = GimpUi.ProcedureDialog.new(procedure, config, "Colorize with chromagan")
        dialog.fill(None)
        agreed = dialog.run()
        dialog.destroy()
        if not agreed:
            return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, None)
    try:
        colour(image, drawables, {name: config.get_property(name) for name in ("model", "saturation", "warmth")})
    except (CommandFailed, OSError) as error:
        return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, GLib.Error(str(error)))
    return procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)


class Colorize(Gimp.PlugIn):
    """What GIMP asks when it starts."""

    def do_query_procedures(self) -> list[str]:
        """Names."""
        return [NAME]

    def do_set_i18n(self, name: str) -> bool:
        """No translations."""
        return False

    def do_create_procedure(self, name: str) -> Gimp.Procedure:
        """Menu, and what can be set."""
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, run, None)
        procedure.set_image_types("RGB*, GRAY*")
        procedure.set_sensitivity_mask(Gimp.ProcedureSensitivityMask.DRAWABLE)
        procedure.set_menu_label("Colorize with _chromagan...")
        procedure.add_menu_path("<Image>/Colors")
        procedure.set_documentation("Colour a black-and-white photo", "Lays a colour layer above the photo; a layer "
                                    "called hints says which colours belong where.", name)  # fmt: skip
        procedure.set_attribution("the chromagan authors", "Apache-2.0", "2026")
        free = GObject.ParamFlags.READWRITE
        procedure.add_string_argument("model", "_Model", "chromagan, chromagan@small, or a file", "chromagan", free)
        procedure.add_double_argument("saturation", "_Saturation", "1 is as it is painted", 0, 3, 1, free)
        procedure.add_double_argument("warmth", "_Warmth", "from colder to warmer", -1, 1, 0, free)
        return procedure


Gimp.main(Colorize.__gtype__, sys.argv)
