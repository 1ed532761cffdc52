"""Hand-corrected frames become references of their scene."""

from __future__ import annotations

from dataclasses import replace

from chromagan.conditioning.guidance import Guidance, Reference
from chromagan.film.folder import Parts
from chromagan.film.guides import Guides
from chromagan.film.pictures import upright
from chromagan.film.plan import Plan
from chromagan.film.reel import Reel
from chromagan.inference.colorizer import Colorizer
from chromagan.inference.request import Request


def led(guides: Guides, plan: Plan, reel: Reel, parts: Parts, colorizer: Colorizer, request: Request) -> Guides:
    """Guides in which the frames that have hints of their own are, coloured by them, references of their scene.

    Colour is carried from a guided frame along the motion as far as that can be followed; what appears later in the
    scene takes its colours from the reference.

    Args:
        guides: as `guides_of` found them.
        plan: of the film.
        reel: the film.
        parts: the folder in which the coloured frames are kept.
        colorizer: that paints.
        request: of every frame.
    """
    made: dict[int, tuple[Reference, ...]] = dict(guides.scenes)
    for number, guidance in sorted(guides.frames.items()):
        if guidance == Guidance():
            continue  # it was coloured elsewhere, and is a reference already
        scene = plan.scene_of(number)
        (frame,) = plan.decoded(reel, number, number + 1)
        asked = replace(request, guidance=guides.of(scene, number, request.guidance))
        (picture,) = colorizer.colorize([upright(frame, reel)], asked)[0]
        file = parts.path / f"led-{number:08d}.png"
        picture.save(file)
        made[scene] = (Reference(str(file)), *made.get(scene, ()))
    # What they were made for is told by now; the network sees frames without their grain, of another size.
    return Guides(made, {number: replace(guidance, photo=None) for number, guidance in guides.frames.items()})
