"""What a person wishes of one photo's colours, as plain data that can be stored beside the photo.

Every coordinate is a share of the upright photo, x from its left and y from its top edge, 0 to 1, so that the same
guidance fits a scan and its thumbnail. `to_json` and `from_json` are its form on disk; docs/guide/strokes.md says what
is in it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from chromagan.errors import UsageError

Point = tuple[float, float]
RGB = tuple[int, int, int]
Kind = Literal["colour", "neutral", "saturation"]

VERSION = 3
_FIRST = 1  # is read too, and written where nothing of later ones is in use
_LARGEST_SATURATION = 4.0
_LONGEST_SIDE = 2**31 - 1  # pixels, as far as any format goes
_HEX = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class Stroke:
    """One stroke of a brush: a colour, no colour, or more or less of the colour that is there.

    Attributes:
        kind: "colour" (`rgb`), "neutral" (gray) or "saturation" (a factor on the chroma, `strength`).
        points: (x, y) of the brush's path; a single one is a dot.
        radius: of the brush, as a share of the photo's short side.
        rgb: sRGB of 8 bits, of a colour stroke alone; its hue and chroma count, the photo's lightness stays.
        strength: of a colour or neutral stroke how firm the wish is, above 0 and up to 1; of a saturation stroke the
            factor, 0 to 4.
        order: strokes of a higher order lie on top, those of one order as they follow each other.
        applied: sRGB of what a colour stroke comes to at the photo's lightness, where that is known; it is told to
            whoever reads, and changes nothing.

    Raises:
        UsageError: a value that is out of range or does not belong to the kind.
    """

    kind: Kind
    points: tuple[Point, ...]
    radius: float
    rgb: RGB | None = None
    strength: float = 1.0
    order: int = 0
    applied: RGB | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        _need(self.kind in get_args(Kind), f"stroke: kind {self.kind!r}; give {', '.join(get_args(Kind))}")
        object.__setattr__(self, "points", _points(self.points, "stroke", 1))
        _need(_is_share(self.radius), f"stroke: radius {self.radius!r}; above 0, at most 1")
        if self.kind == "colour":
            object.__setattr__(self, "rgb", _rgb(self.rgb, "stroke of kind colour"))
        else:
            _need(self.rgb is None, f"stroke of kind {self.kind}: it takes no rgb; leave it out")
        fine, limits = _is_share(self.strength), "above 0, at most 1"
        if self.kind == "saturation":
            fine, limits = _is_number(self.strength) and 0 <= self.strength <= _LARGEST_SATURATION, "0 to 4"
        _need(fine, f"stroke of kind {self.kind}: strength {self.strength!r}; {limits}")
        object.__setattr__(self, "radius", float(self.radius))
        object.__setattr__(self, "strength", float(self.strength))
        _need(_is_whole(self.order), f"stroke: order {self.order!r}; a whole number")
        if self.applied is not None:
            object.__setattr__(self, "applied", _rgb(self.applied, "stroke: applied"))


@dataclass(frozen=True)
class Palette:
    """Colours that a photo should be made of.

    Attributes:
        colours: sRGB of 8 bits each; "#rrggbb" is taken as well.
        shares: of the photo, one a colour; equal ones unless given.
        strength: how far the painting goes towards them, above 0 and up to 1.
    """

    colours: tuple[RGB, ...]
    shares: tuple[float, ...] = ()
    strength: float = 1.0

    if TYPE_CHECKING:  # it takes more than it holds

        def __init__(
            self, colours: Sequence[RGB | str], shares: Sequence[float] = (), strength: float = 1.0
        ) -> None: ...

    def __post_init__(self) -> None:
        _need(_is_list(self.colours) and len(self.colours) > 0, "palette: give at least one colour")
        object.__setattr__(self, "colours", tuple(_rgb(one, "palette") for one in self.colours))
        _need(_is_list(self.shares), "palette: shares are a list of numbers")
        object.__setattr__(self, "shares", tuple(self.shares))
        _need(not self.shares or len(self.shares) == len(self.colours), "palette: as many shares as colours, or none")
        _need(all(_is_number(s) and s > 0 for s in self.shares), "palette: shares are numbers above 0")
        object.__setattr__(self, "shares", tuple(map(float, self.shares)))
        _need(_is_number(sum(self.shares)), "palette: shares are too large; they count against each other alone")
        _need(_is_share(self.strength), f"palette: strength {self.strength!r}; above 0, at most 1")
        object.__setattr__(self, "strength", float(self.strength))


@dataclass(frozen=True)
class Reference:
    """A photo whose colours are wanted. Whoever paints reads the file.

    Attributes:
        file: of the photo.
        strength: how far its colours count, above 0 and up to 1.
        sha256: of the file's content, where it is known: another photo of that name is then refused.
    """

    file: str
    strength: float = 1.0
    sha256: str = ""

    def __post_init__(self) -> None:
        _need(isinstance(self.file, str) and self.file != "", f"reference: file {self.file!r}; name a photo")
        _need(_is_share(self.strength), f"reference: strength {self.strength!r}; above 0, at most 1")
        object.__setattr__(self, "strength", float(self.strength))
        fine = isinstance(self.sha256, str) and re.fullmatch(r"([0-9a-f]{64})?", self.sha256)
        _need(bool(fine), f"reference: sha256 {self.sha256!r}; 64 digits of 0-9 and a-f, or leave it out")


@dataclass(frozen=True)
class Region:
    """A part of the photo: what lies inside of one of its polygons, or what is white in a picture.

    Attributes:
        polygons: (x, y) of three corners or more each.
        file: a picture of the photo's shape, of any size: white is inside, black outside, gray is a soft edge. Whoever
            paints reads it.
        sha256: of the file's content, where it is known: another picture of that name is then refused.
    """

    polygons: tuple[tuple[Point, ...], ...] = ()
    file: str = ""
    sha256: str = ""

    def __post_init__(self) -> None:
        _need(_is_list(self.polygons), "region: polygons are a list")
        _need(isinstance(self.file, str), f"region: file {self.file!r}; name a picture")
        _need(bool(self.polygons or self.file), "region: give at least one polygon, or the file of a picture")
        object.__setattr__(self, "polygons", tuple(_points(one, "region", 3) for one in self.polygons))
        fine = isinstance(self.sha256, str) and re.fullmatch(r"([0-9a-f]{64})?", self.sha256)
        _need(bool(fine), f"region: sha256 {self.sha256!r}; 64 digits of 0-9 and a-f, or leave it out")


@dataclass(frozen=True)
class Layer:
    """A picture with an alpha, of any editor, whose opaque pixels are wishes; half opaque ones are half as firm.

    Attributes:
        file: the picture, of the photo's size or a scaled one. Whoever paints reads it.
        sha256: of its content, which tells one layer from another in a photo's mark.
    """

    file: str
    sha256: str = ""

    def __post_init__(self) -> None:
        _need(isinstance(self.file, str) and self.file != "", f"layer: file {self.file!r}; name a PNG")
        _need(isinstance(self.sha256, str), f"layer: sha256 {self.sha256!r}; hexadecimal digits")


@dataclass(frozen=True)
class Lightness:
    """Which photo some guidance is for: its upright size in pixels, and the SHA-256 of its lightness in 8 bits."""

    width: int
    height: int
    sha256: str

    def __post_init__(self) -> None:
        sizes = (self.width, self.height)
        fine = all(_is_whole(side) and 0 < side <= _LONGEST_SIDE for side in sizes)
        _need(fine, f"photo: size {sizes}; whole numbers above 0, at most {_LONGEST_SIDE}")
        _need(isinstance(self.sha256, str), f"photo: sha256 {self.sha256!r}; hexadecimal digits")


@dataclass(frozen=True)
class Settings:
    """What else of a request was set while some guidance was made; None for what was not.

    Attributes:
        saturation: see `chromagan.inference.request.Request`, which checks its range.
        warmth: the same.
        seed: of the variation that was chosen.
    """

    saturation: float | None = None
    warmth: float | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        for name in ("saturation", "warmth"):
            value = getattr(self, name)
            _need(value is None or _is_number(value), f"settings: {name} {value!r}; a number")
        _need(self.seed is None or _is_whole(self.seed), f"settings: seed {self.seed!r}; a whole number")

    @property
    def asked(self) -> dict[str, Any]:
        """As fields of a `Request`, those that were set; a seed asks for the one variation that it draws."""
        seeded = {"variations": 1, "seed": self.seed} if self.seed is not None else {}
        given = {"saturation": self.saturation, "warmth": self.warmth}
        return {name: value for name, value in given.items() if value is not None} | seeded


@dataclass(frozen=True)
class Guidance:
    """All that a person gives for one photo.

    Attributes:
        strokes: of a brush; they lie over the layer.
        palette: that the photo should be made of.
        references: photos whose colours are wanted.
        only: what alone is coloured; the rest stays as it is.
        keep: where the photo's own colours stay, as far as it has some.
        vary: what alone differs between variations.
        layer: wishes as a picture.
        photo: which photo it is for; another one is told.
        settings: what was set beside it. They change nothing by themselves: `Request(guidance=one, **one.asked)`.
    """

    strokes: tuple[Stroke, ...] = ()
    palette: Palette | None = None
    references: tuple[Reference, ...] = ()
    only: Region | None = None
    keep: Region | None = None
    vary: Region | None = None
    layer: Layer | None = None
    photo: Lightness | None = field(default=None, compare=False)
    settings: Settings | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for name in ("strokes", "references"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    @property
    def asked(self) -> dict[str, Any]:
        """What was set beside it, as fields of a `Request`."""
        return self.settings.asked if self.settings else {}

    def to_json(self) -> str:
        """As text in JSON, of one line, the same for equal guidance; what is as by default is left out."""
        second = self.layer or self.photo or any(stroke.applied for stroke in self.strokes)
        version = VERSION if self.settings else 2 if second else _FIRST
        return json.dumps({"version": version, **_plain(self)}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str, source: str = "guidance") -> Guidance:
        """Read what `to_json` writes.

        Args:
            text: JSON, see docs/guide/strokes.md.
            source: name of the file, for errors.

        Raises:
            UsageError: not JSON, of an unknown version, with an unknown key, or with a value out of range; the
                message begins with the source and names what is wrong.
        """
        try:
            return cls._from_values(json.loads(text))
        except UsageError as error:
            raise UsageError(f"{source}: {error}") from error
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{source}: not JSON ({error}); see docs/guide/strokes.md") from error

    @classmethod
    def _from_values(cls, values: Any) -> Guidance:
        _need(isinstance(values, dict), 'guidance is an object such as {"version": 1, "strokes": []}')
        version = values.pop("version", None)
        _need(_is_whole(version), f'give "version": {VERSION}')
        read = f"version {version!r}; this program reads versions {_FIRST} to {VERSION}"
        _need(_FIRST <= version <= VERSION, read + ("; a newer chromagan reads it" if version > VERSION else ""))
        known = _known(cls, values, "guidance")
        for name, single in _SINGLE.items():
            if name in known:
                known[name] = _built(single, known[name], name)
        for name, several in (("strokes", Stroke), ("references", Reference)):
            if name in known:
                _need(_is_list(known[name]), f"{name} is a list")
                known[name] = tuple(_built(several, one, several.__name__.lower()) for one in known[name])
        return cls(**known)


_SINGLE: dict[str, Any] = {
    "palette": Palette, "only": Region, "keep": Region, "vary": Region, "layer": Layer, "photo": Lightness,
    "settings": Settings,
}  # fmt: skip


def _plain(value: Any, name: str = "") -> Any:
    """A dataclass as a dictionary of what is not as by default, colours as #rrggbb; other values as they are."""
    if is_dataclass(value):
        given = ((known, getattr(value, known.name)) for known in fields(value))
        return {known.name: _plain(one, known.name) for known, one in given if one != known.default}
    if name in ("rgb", "applied"):
        return "#{:02x}{:02x}{:02x}".format(*value)
    if isinstance(value, tuple):
        return [_plain(one, "rgb" if name == "colours" else "") for one in value]
    return value


def _known(kind: Any, values: Any, name: str) -> dict[str, Any]:
    names = [known.name for known in fields(kind)]
    _need(isinstance(values, dict), f"{name} is an object with {', '.join(names)}")
    unknown = sorted(set(values) - set(names))
    _need(not unknown, f"{name} has no {', '.join(unknown)}; it has {', '.join(names)}")
    return dict(values)


def _built(kind: Any, values: Any, name: str) -> Any:
    try:
        return kind(**_known(kind, values, name))
    except TypeError as error:  # a field without default is missing
        missing = re.findall(r"'(\w+)'", str(error))
        raise UsageError(f"{name} lacks {', '.join(missing)}") from error


def _need(fine: bool, otherwise: str) -> None:
    if not fine:
        raise UsageError(otherwise)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 < value <= 1


def _points(points: Any, name: str, least: int) -> tuple[Point, ...]:
    """Checked (x, y) pairs, as tuples."""
    _need(_is_list(points) and len(points) >= least, f"{name}: give at least {least} point{'s' * (least > 1)}")
    for point in points:
        pair = _is_list(point) and len(point) == 2 and all(_is_number(side) and 0 <= side <= 1 for side in point)
        _need(pair, f"{name}: point {point!r}; [x, y], each 0 to 1, a share of the photo's side")
    return tuple((float(x), float(y)) for x, y in points)


def _rgb(rgb: Any, name: str = "colour") -> RGB:
    """A checked colour, also of #rrggbb; `UsageError` that begins with the name where it is none."""
    if isinstance(rgb, str) and _HEX.fullmatch(rgb):
        rgb = tuple(bytes.fromhex(rgb[1:]))
    fine = _is_list(rgb) and len(rgb) == 3 and all(_is_whole(v) and 0 <= v <= 255 for v in rgb)
    _need(fine, f'{name}: rgb {rgb!r}; write it as "#a03c28"')
    return (rgb[0], rgb[1], rgb[2])
