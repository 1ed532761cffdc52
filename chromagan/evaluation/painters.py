"""Models as methods of a comparison: each photo made gray and colorized by the product's own pipeline."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from chromagan.conditioning.condition import NOTHING, Condition, LocalHints
from chromagan.conditioning.simulate import draw_squares, name_generator, reveal_squares
from chromagan.errors import DataError
from chromagan.evaluation.comparison import Unpainted
from chromagan.images.read import to_photo
from chromagan.images.resize import resize_antialiased
from chromagan.inference.request import Request
from chromagan.metrics.eight_bit import lab_of_8bit, to_8bit_rgb
from chromagan.metrics.metric import Picture

if TYPE_CHECKING:
    from chromagan.inference.colorizer import Colorizer


@dataclass(frozen=True)
class SimulatedHints:
    """True colours that a model is shown, as a person would give them: squares anywhere in the photo."""

    # How many squares, one method each; the squares of a lower count are the first of a higher one.
    counts: tuple[int, ...]
    size: int = 4  # side of the squares, in pixels of the network's working size
    seed: int = 0  # with the photo's name it decides where they are
    spread: bool = True  # carry what a model leaves unmet along edges, as the product does with strokes

    def of(self, truth: Picture, image: str, size: tuple[int, int]) -> list[Condition]:
        """The hints of one photo (H, W, 3) uint8, one entry a count; nothing for a count of 0.

        Its name decides where they are; `size` is rows and columns of the working size.
        """
        squares = draw_squares(*size, self.size, max(self.counts), name_generator(image, self.seed))
        ab = resize_antialiased(torch.from_numpy(np.stack(lab_of_8bit(truth)[1:]))[None], size)
        # In double precision, so that a square's mean does not depend on how many are summed beside it.
        every = ab.double().expand(len(self.counts), -1, -1, -1)
        shown = reveal_squares(every, [squares[:count] for count in self.counts])
        parts = zip(self.counts, shown.ab.float().split(1), shown.mask.float().split(1), strict=True)
        return [Condition(LocalHints(colours, mask)) if count else NOTHING for count, colours, mask in parts]


class ModelPainter:
    """A colorizer at one saturation or several, with simulated hints or without; one photo at a time, of any size.

    The network runs once a photo and number of hints. With several saturations, on top of the colorizer's own, each
    method is called `NAME xFACTOR`, with hints `NAME, 5 hints`, with both `NAME, 5 hints xFACTOR`, the factors of one
    number together; hints that are not carried along edges are told in the name. A network that takes hints is shown
    them. `settings` holds by name what a method's answers depend on.
    """

    whole_blocks = False

    def __init__(
        self, name: str, colorizer: Colorizer, factors: Sequence[float] = (1.0,), hints: SimulatedHints | None = None
    ) -> None:
        self.colorizer = colorizer
        self.factors, self.hints = tuple(factors), hints
        shared: dict[str, Any] = {
            "model": colorizer.mark.model,
            "weights_sha256": colorizer.mark.sha256,
            "size": colorizer.look.size,
            "base_saturation": colorizer.look.saturation,
            "typical_chroma": colorizer.look.typical_chroma,
            "annealed_share": colorizer.look.annealed_share,
            "calm": colorizer.look.calm,
            "device": str(colorizer.device),
            **({"views": colorizer.look.views} if colorizer.look.views > 1 else {}),
        }
        rows: list[tuple[str, dict[str, Any]]] = []
        for count, factor in itertools.product(hints.counts if hints else (None,), self.factors):
            row, given = name, {}
            if hints is not None:
                row = f"{name}, {count} hint{'s' * (count != 1)}{'' if hints.spread else ', not spread'}"
                given = {"simulated_hints": count, "hint_size": hints.size, "hint_seed": hints.seed,
                         "spread": hints.spread}  # fmt: skip
            if self.factors != (1.0,):
                row = f"{row} x{factor:g}"
            rows.append((row, {**shared, **given, "saturation": factor}))
        self.names = tuple(row for row, _ in rows)
        self.settings = dict(rows)

    def paint(self, block: Sequence[Unpainted]) -> list[list[Picture]]:
        """Colour gray pictures: see `Painter`."""
        return [self._paint(one.gray, one.truth, one.image) for one in block]

    def _paint(self, gray: NDArray[np.uint8], truth: Picture, image: str) -> list[Picture]:
        walk = self.colorizer.start(to_photo(gray), Request())
        rows, columns = walk.prepared.L.shape[2:]
        answers, painted = [], False
        for hints in self.hints.of(truth, image, (rows, columns)) if self.hints else [NOTHING]:
            walk.condition = hints if "local" in self.colorizer.network.accepts else NOTHING
            walk.wishes = hints.local if self.hints and self.hints.spread else None
            # One at a time: an answer then does not depend, to the last bit, on which other numbers were asked for.
            plain = walk.carries or walk.condition is NOTHING  # the painting without hints is the same each time
            if plain and painted:
                self.colorizer.show([walk])
            else:
                self.colorizer.answer([walk])
            painted = plain
            answers += [to_8bit_rgb(walk.coloured(factor).end()) for factor in self.factors]
        return answers


class KnownPainter:
    """A model of an earlier run, by its methods' settings: it is opened only for a picture that nobody has kept."""

    whole_blocks = False

    def __init__(self, settings: dict[str, dict[str, Any]], open: Callable[[], ModelPainter], folder: Path) -> None:
        self.names, self.settings = tuple(settings), settings
        self._open, self._folder = open, folder
        self._painter: ModelPainter | None = None

    def paint(self, block: Sequence[Unpainted]) -> list[list[Picture]]:
        """Colour gray pictures: see `Painter`.

        Raises:
            DataError: the model is another one by now.
        """
        if self._painter is None:
            self._painter = self._open()
            if {name: self._painter.settings.get(name) for name in self.names} != self.settings:
                raise DataError(
                    f"{self._folder}: its method {self.names[0]!r} has other weights or settings by now; "
                    "choose another --out, or delete that folder"
                )
        places = [self._painter.names.index(name) for name in self.names]  # others may have been given anew
        return [[answers[place] for place in places] for answers in self._painter.paint(block)]
