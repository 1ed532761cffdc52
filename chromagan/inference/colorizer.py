"""Photo in, photo out: the `Colorizer`."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from chromagan.compute.device import choose_device, place
from chromagan.conditioning.condition import Condition
from chromagan.conditioning.encode import encode
from chromagan.errors import UsageError
from chromagan.images.enlarge_chroma import ChromaStep, bicubic_step
from chromagan.images.metadata import ProvenanceMark
from chromagan.images.read import Photo, to_photo
from chromagan.images.tint import is_tinted
from chromagan.inference.adviser import Adviser
from chromagan.inference.album import Album
from chromagan.inference.batch import stream
from chromagan.inference.batch_plan import Job
from chromagan.inference.colored import Colored, as_photo
from chromagan.inference.hint_files import layer_pixels, tell
from chromagan.inference.kept import has_own_colours
from chromagan.inference.old_names import OldNames, look_of
from chromagan.inference.picture import from_photo
from chromagan.inference.request import Request
from chromagan.inference.session import Session, requested
from chromagan.inference.stages import Walk, answer, colour, show
from chromagan.models.contract import ColorizationNetwork
from chromagan.models.look import Look
from chromagan.pretrained.card import WeightsCard
from chromagan.pretrained.create import load_upsampler
from chromagan.pretrained.hub import HubColorizer, card_of, load_pretrained
from chromagan.version import __version__

log = logging.getLogger(__name__)


class Colorizer(OldNames, HubColorizer):
    """Colorizes photographs of any size, depth and aspect with one network.

    The output has the input's size, depth, alpha and lightness; only chroma is new.

    Args:
        network: any registered network.
        upsampler: the x2 step that enlarges ab (`ChromaUpsampler`); plain bicubic unless given.
        look: how the weights want to be used.
        device: "auto", "cpu", "cuda" or "mps".
        batch_size: photos of one working shape that go through the network together.
        sha256: digest of the weights, for the provenance mark.
        model: name for the provenance mark.

    Raises:
        UsageError: a batch size below 1.
        DeviceError: the device is not there.
    """

    def __init__(
        self,
        network: ColorizationNetwork,
        *,
        upsampler: ChromaStep | None = None,
        look: Look | None = None,
        device: str = "auto",
        batch_size: int = 4,
        sha256: str = "",
        model: str = "",
        **old: float,
    ) -> None:
        if batch_size < 1:
            raise UsageError(f"the batch size must be at least 1, not {batch_size}")
        self.look, self.batch_size = look_of(look, old), batch_size
        self.device = choose_device(device)
        self.network = place(network.eval().requires_grad_(False), self.device)
        if isinstance(upsampler, nn.Module):
            upsampler = place(upsampler.eval().requires_grad_(False), self.device)
        self.step: ChromaStep = upsampler or bicubic_step
        self.album = Album(self.network, sha256)
        self._card: WeightsCard | None = None
        self.adviser = Adviser(self.device)
        self.mark = ProvenanceMark(model or type(network).__name__, sha256, f"chromagan {__version__}")

    @classmethod
    def from_pretrained(
        cls,
        name_or_file: str | os.PathLike[str] = "chromagan",
        device: str = "auto",
        size: int | None = None,
        saturation: float | None = None,
        batch_size: int = 4,
        views: int | None = None,
    ) -> Colorizer:
        """A colorizer with shipped or given weights.

        Args:
            name_or_file: a name whose weights are shipped, a .safetensors file, a state dict or Keras file that the
                authors of a registered network publish (read as tensors only), a folder that `save_pretrained`
                wrote, or OWNER/NAME of the Hugging Face Hub (extra `hub`); see `find_weights` for the order.
            device: "auto", "cpu", "cuda" or "mps".
            size: working size; what suits the weights unless given.
            saturation: base factor on ab; what suits the weights unless given.
            batch_size: photos of one working shape that go through the network together.
            views: of a photo that the network sees, see `Look`; what suits the weights unless given.

        Raises:
            ModelError: there is no such model.
            WeightsError: the weights are missing, damaged, or a pickle of anything else.
            DeviceError: the device is not there.
        """
        choose_device(device)  # told before seconds of loading
        network, card = load_pretrained(name_or_file)
        given: dict[str, Any] = {"size": size, "saturation": saturation, "views": views}
        look = replace(card.look, **{name: value for name, value in given.items() if value is not None})
        colorizer = cls(
            network, upsampler=load_upsampler(), look=look, device=device, batch_size=batch_size,
            sha256=card.sha256, model=card.model,
        )  # fmt: skip
        colorizer._card = card
        return colorizer

    def pretrained_card(self) -> WeightsCard:
        """What the weights say of themselves, with this colorizer's look."""
        return replace(self._card or card_of(self.network), look=self.look)

    def __call__(self, image: Any, request: Request | float | None = None, **changes: Any) -> Any:
        """Colorize a picture, or a list of pictures.

        Args:
            image: a path, a PIL image, or an array (H, W), (H, W, 1 to 4): uint8, uint16, bool, or float in [0, 1]; or
                a list of such. Of a colour picture the lightness alone is used.
            request: what is asked for; the plain picture unless given.
            **changes: fields of the request by name (`saturation=1.2`).

        Returns:
            A PIL image for a path or PIL image, an array of the same type for an array, a list for a list; RGB, or RGBA
            where the picture has an alpha. A PIL image has 8 bits a channel (a warning tells where the file has 16),
            and its own `save` drops the mark, profile, XMP and IPTC; `colorize` gives what keeps all of them.
        """
        images = list(image) if isinstance(image, list | tuple) else [image]
        asked = requested(request, changes)
        done = self.colorize([to_photo(one) for one in images], asked)
        made = [from_photo(one[0].photo, like) for one, like in zip(done, images, strict=True)]
        return made if isinstance(image, list | tuple) else made[0]

    def colorize(
        self, photos: Sequence[Any], requests: Request | Sequence[Request] | None = None
    ) -> list[list[Colored]]:
        """Colorize photos at their own depth; those of one working shape share a batch.

        Args:
            photos: paths, PIL images, arrays, or what `chromagan.images.read.read_photo` gives.
            requests: one for all, or one each.

        Returns:
            For each photo its pictures, one unless the request asks for more. `Colored.save` writes the file that
            `chromagan sample` writes: 16 bits, profile, metadata and mark are in it.

        Raises:
            UsageError: no list, or something in it that is no photo.
            ReadError: a path that cannot be read.
        """
        if not isinstance(photos, list | tuple):
            raise UsageError(f"colorize takes a list of photos, not {type(photos).__name__}; put it in brackets")
        photos = [as_photo(photo) for photo in photos]
        if not isinstance(requests, Sequence):
            requests = [requests or Request()] * len(photos)
        walks = [self.start(photo, request) for photo, request in zip(photos, requests, strict=True)]
        self.answer(walks)
        return [self.end(photo, walk) for photo, walk in zip(photos, walks, strict=True)]

    def stream(self, images: Iterable[Any], request: Request | None = None, **changes: Any) -> Iterator[Any]:
        """Colorize pictures one after another, in their order, while the next ones are read and painted.

        Args:
            images: as for a call; may be without end, and is asked for a picture as there is room for it.
            request: what is asked for, of each.
            **changes: fields of the request by name.

        Yields:
            For each picture what a call gives.

        Raises:
            ChromaganError: a picture failed; those before it have been given.
        """
        asked, kinds = requested(request, changes), deque[Any]()

        def jobs() -> Iterator[Job]:
            for number, image in enumerate(images):
                kinds.append(image)
                name = Path(image if isinstance(image, str | os.PathLike) else f"picture {number}")
                yield Job(name, name, load=lambda image=image: [to_photo(image)], request=asked)  # type: ignore[misc]

        for pages in stream(jobs(), self):
            yield from_photo(pages[0][0].photo, kinds.popleft())

    def open(self, image: Any) -> Session:
        """A session of one photo, which is read and prepared once and painted many times.

        Args:
            image: as for a call.
        """
        return Session(self, as_photo(image))

    def start(self, photo: Photo, request: Request) -> Walk:
        """Begin a photo's way through the stages; on the CPU, in any thread."""
        walk = Walk(photo.pixels, request.over(self.look), request).start(self.network)
        walk.ground.tell = self.album.tell
        walk.condition = self._shown(walk)
        walk.ground.kept(request.guidance)  # what is wrong with a region is told before the network runs
        keep, name = request.guidance.keep, photo.path or "a picture"
        if keep is None and is_tinted(photo.pixels):
            log.info("%s: this scan is tinted (sepia), its tint is replaced", name)
        if keep is not None and not has_own_colours(photo.pixels, keep):
            log.warning("%s: it has no colours of its own to keep there", name)
        tell(request.guidance, photo)
        return walk

    def answer(self, walks: Sequence[Walk]) -> None:
        """The colours of photos that have begun; those of one working shape share a batch."""
        answer(self.network, walks, self.step, self.batch_size, self.adviser)

    def show(self, walks: Sequence[Walk]) -> None:
        """Guide photos that are painted already, see `chromagan.inference.stages.show`."""
        show(self.network, walks, self.step, self.batch_size)

    def go_on(self, walk: Walk, photo: Photo, request: Request) -> Walk:
        """A photo's way as another request has it, from where the two part."""
        before, asked = walk.request, walk.again(request, request.over(self.look))
        if (asked.look.size, asked.look.views) != (walk.look.size, walk.look.views):
            asked = self.start(photo, request)
            self.answer([asked])
            return asked
        if _drawn(request) != _drawn(before):
            colour(self.network, asked, self.step, self.adviser)
        if self.network.accepts and _shown_of(request) != _shown_of(before):
            asked.condition = self._shown(asked)
            self.show([asked])
        else:
            asked.guided()
        return asked

    def end(self, photo: Photo, walk: Walk) -> list[Colored]:
        """The photo at the end of its way; on the CPU, in any thread; a network that saw no colour is told."""
        if walk.gray:
            log.warning("model %s answered gray for a whole photo: use other weights", self.mark.model)
        did = walk.ground.influences
        return [
            Colored(replace(photo, pixels=walk.end(number=number)), ab, one.seed, self.mark_of(one), did)
            for number, (ab, one) in enumerate(zip(walk.abs, walk.request.each, strict=True))
        ]

    def _shown(self, walk: Walk) -> Condition:
        rows, columns = walk.prepared.L.shape[2:]
        guidance = walk.request.guidance
        return encode(guidance, (rows, columns), self.network.accepts, layer_pixels(guidance))

    def mark_of(self, request: Request) -> ProvenanceMark:
        """The mark of what this colorizer makes for a request."""
        return replace(self.mark, seed=request.seed, request=request.digest)


def _drawn(request: Request) -> tuple[Any, ...]:
    """What of a request variations hang on."""
    return request.variations, request.seed, request.guidance.vary


def _shown_of(request: Request) -> Any:
    """What of a request a network may be shown."""
    guidance = request.guidance
    return [stroke for stroke in guidance.strokes if stroke.kind != "saturation"], guidance.layer


__all__ = ["Colored", "Colorizer", "Request", "Session"]
