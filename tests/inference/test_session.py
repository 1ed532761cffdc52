"""A photo that is painted many times, and pictures that come one after another."""

import itertools

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab

from chromagan.conditioning.encode import encode
from chromagan.conditioning.guidance import Guidance, Region, Stroke
from chromagan.errors import ChromaganError, UsageError
from chromagan.images.read import to_photo
from chromagan.images.write import write_photo
from chromagan.inference.colorizer import Colorizer
from chromagan.inference.request import Request
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.look import Look


class Counting(ColorizationNetwork):
    """Colours by lightness, and counts how often it is asked."""

    stride = ab_stride = 4

    def __init__(self):
        super().__init__()
        self.config, self.asked = {}, []

    def predict(self, L, hints):
        self.asked.append(tuple(L.shape))
        low = torch.nn.functional.avg_pool2d(L, 4)
        return Prediction(torch.cat((low * 0.3, 20 - low * 0.4), 1))


@pytest.fixture
def colorizer():
    return Colorizer(Counting(), look=Look(size=32), device="cpu")


def photo(seed=0, rows=60, columns=80):
    noise = np.random.default_rng(seed).integers(0, 256, (rows // 10, columns // 10), np.uint8)
    return np.asarray(Image.fromarray(noise).resize((columns, rows), Image.Resampling.BICUBIC))


def test_a_session_paints_what_a_call_paints_and_asks_the_network_once_a_size(colorizer):
    session = colorizer.open(photo())
    for changes in ({}, {"saturation": 0.5}, {"saturation": 1.4, "seed": 3}):
        (ours,) = session.paint(**changes)
        assert np.array_equal(ours.photo.pixels, colorizer(photo(), **changes))
        assert (ours.seed, ours.mark.request) == (changes.get("seed", 0), Request(**changes).digest)
    assert len(colorizer.network.asked) == 1 + 3  # the session's, and that of each call
    (other,) = session.paint(Request(size=64))
    assert len(colorizer.network.asked) == 5
    assert colorizer.network.asked[-1][2:] == (64, 84)
    assert np.array_equal(other.photo.pixels, colorizer(photo(), size=64))
    assert session.paint(saturation=0.0)[0].ab.abs().max() == 0
    with pytest.raises(UsageError):
        session.paint(saturation=-1)


def test_a_session_paints_what_a_call_paints_whatever_was_asked_before():
    """From every request to every other one: what is kept of the one before must not show."""
    guided = Colorizer(Copier(), look=Look(size=32), device="cpu")
    asked = [{}, {"saturation": 0.5}, {"size": 64}, {"guidance": RED}, {"guidance": RED, "warmth": 0.5, "size": 64}]
    fresh = [guided(photo(), **changes) for changes in asked]
    session = guided.open(photo())
    for before, after in itertools.permutations(range(len(asked)), 2):
        session.paint(**asked[before])
        assert np.array_equal(session.paint(**asked[after])[0].photo.pixels, fresh[after])


def test_warmth_moves_all_colours_alike_and_no_lightness(colorizer):
    session = colorizer.open(photo())
    plain, warm, cold = (session.paint(warmth=value)[0] for value in (0, 0.5, -0.5))
    shift = (warm.ab - plain.ab).mean((0, 2, 3))
    assert shift[1] > 3 > shift[0] > 0
    torch.testing.assert_close(warm.ab + cold.ab, 2 * plain.ab)
    L = [rgb2lab(one.photo.pixels)[..., 0] for one in (plain, warm, cold)]
    assert max(np.abs(one - L[0]).mean() for one in L) < 0.2


def test_each_photo_can_have_a_request_of_its_own(colorizer):
    photos = [to_photo(photo(seed)) for seed in range(3)]
    requests = [Request(), Request(saturation=0.3), Request(size=64)]
    for ours, one, request in zip(colorizer.colorize(photos, requests), photos, requests, strict=True):
        assert np.array_equal(ours[0].photo.pixels, colorizer.colorize([one], request)[0][0].photo.pixels)
    with pytest.raises(ValueError, match="shorter"):
        colorizer.colorize(photos, requests[:2])


def test_a_stream_keeps_the_order_and_the_kind_of_the_pictures(colorizer, tmp_path):
    images = [photo(seed, 40 + 10 * (seed % 4), 60) for seed in range(12)]
    Image.fromarray(images[3]).save(tmp_path / "3.png")
    given = [*images[:3], tmp_path / "3.png", *images[4:11], Image.fromarray(images[11])]
    made = list(colorizer.stream(iter(given), saturation=0.8))
    for index, (ours, image) in enumerate(zip(made, images, strict=True)):
        assert isinstance(ours, Image.Image) == (index in (3, 11))
        assert np.array_equal(np.asarray(ours), colorizer(image, saturation=0.8))


def test_a_picture_that_fails_is_raised_in_its_place(colorizer, tmp_path):
    flow = colorizer.stream([photo(0), photo(1), tmp_path / "gone.png", photo(2)])
    assert next(flow).shape == next(flow).shape == (60, 80, 3)
    with pytest.raises(ChromaganError, match=r"gone\.png"):
        next(flow)


class Copier(Counting):
    """The wish where there is one, else no red and no green."""

    accepts = frozenset({"local"})

    def predict(self, L, condition):
        plain = super().predict(L, condition)
        if condition.local is None:
            return plain
        mask = torch.nn.functional.max_pool2d(condition.local.mask, 4)
        ab = torch.nn.functional.avg_pool2d(condition.local.ab * condition.local.mask, 4)
        return Prediction(torch.where(mask > 0, ab, plain.ab))


RED = Guidance(strokes=(Stroke("colour", ((0.25, 0.5),), radius=0.2, rgb=(200, 60, 40)),))


def test_hints_reach_the_network_from_colorizer_and_session(colorizer):
    guided = Colorizer(Copier(), look=Look(size=32), device="cpu")
    image = np.full((64, 64), 120, np.uint8)
    image[:, 40:] = 200
    made = guided(image, guidance=RED)
    plain = guided(image)
    inside, outside = (slice(28, 36), slice(12, 20)), (slice(28, 36), slice(48, 60))
    assert (made[inside].astype(int)[..., 0] - plain[inside][..., 0]).min() > 40
    assert np.abs(made[outside].astype(int) - plain[outside]).max() <= 2
    session = guided.open(image)
    assert np.array_equal(session.paint()[0].photo.pixels, plain)
    assert np.array_equal(session.paint(guidance=RED)[0].photo.pixels, made)
    assert np.array_equal(next(guided.stream([image], guidance=RED)), made)
    alone = colorizer(image, guidance=RED)  # a network that takes no hints: they are carried all the same
    assert np.abs(alone[inside].astype(int) - made[inside]).max() <= 2
    assert np.abs(alone[outside].astype(int) - plain[outside]).max() <= 2
    assert Request(guidance=RED).digest not in (Request().digest, Request(guidance=RED, saturation=0.9).digest)


class Loud(Counting):
    """Recolours all of a photo after one wish."""

    accepts = frozenset({"local"})

    def predict(self, L, condition):
        plain = super().predict(L, condition)
        return Prediction(plain.ab if condition.local is None else -plain.ab)


def test_what_a_network_recolours_after_one_stroke_is_given_back_where_nothing_was_wished():
    loud = Colorizer(Loud(), look=Look(size=32), device="cpu")
    image = np.full((64, 64), 120, np.uint8)
    image[:, 40:] = 200
    session = loud.open(image)
    plain = session.paint()[0].photo.pixels
    (made,) = session.paint(guidance=RED)
    assert np.array_equal(made.photo.pixels, loud(image, guidance=RED))
    outside = (slice(28, 36), slice(48, 60))
    assert np.abs(made.photo.pixels[outside].astype(int) - plain[outside]).max() <= 2
    assert np.array_equal(session.paint()[0].photo.pixels, plain)
    # Where nothing is carried on, a network that is shown wishes paints alone.
    walk = loud.start(to_photo(image), Request())
    walk.condition = encode(RED, tuple(walk.prepared.L.shape[2:]), loud.network.accepts)
    loud.answer([walk])
    assert np.abs(walk.end()[outside].astype(int) - plain[outside]).max() > 10


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_a_picture_can_be_saved_twice_and_what_is_spent_makes_the_same_file(colorizer, tmp_path, suffix):
    (made,) = colorizer.open(photo()).paint()
    pixels = made.photo.pixels.copy()
    made.save(tmp_path / f"a{suffix}")
    assert np.array_equal(made.photo.pixels, pixels)
    write_photo(made.photo, tmp_path / f"b{suffix}", made.mark, spend=True)
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_a_request_takes_numbers_of_numpy_and_equal_ones_have_one_digest(colorizer):
    assert (
        Request(saturation=np.float32(0.5), size=np.int64(64), seed=np.int64(3)).digest
        == Request(saturation=0.5, size=64, seed=3).digest
    )
    assert Request(saturation=1).digest == Request(saturation=1.0).digest
    ends = ((0.0, 0.0), (1.0, 1.0))
    strokes = [Stroke("neutral", points, radius, strength=radius) for points, radius in ((ends, 1), (ends, 1.0))]
    assert len({Request(guidance=Guidance((stroke,))).digest for stroke in strokes}) == 1
    # Marks of outputs that stand hold these, from before a request had warmth and variations.
    assert [Request().digest, Request(saturation=0.8, size=192, seed=5).digest] == ["0658f410d498", "0b51c65cd17d"]
    assert Request(guidance=RED).digest == "26d14aac2cfb"
    assert len({Request(**one).digest for one in ({"warmth": 0.1}, {"variations": 1}, {"variations": 2}, {})}) == 4
    assert [one.seed for one in Request(variations=3, seed=2**63 - 2).each] == [2**63 - 2, 2**63 - 1, 0]
    for values in ({"warmth": 1.1}, {"warmth": float("nan")}, {"variations": -1}, {"variations": 101}):
        with pytest.raises(UsageError, match="must lie between"):
            Request(**values)
    for values in ({"variations": 1.5}, {"saturation": "x"}, {"size": 64.5}, {"size": True}, {"seed": 1.5},
                   {"seed": None}, {"guidance": None}, {"guidance": {}}):  # fmt: skip
        with pytest.raises(UsageError, match=f"{next(iter(values))} of a request must be"):
            Request(**values)
    with pytest.raises(UsageError, match="is a Request"):
        colorizer(np.zeros((4, 4), np.uint8), "vivid")


@pytest.mark.parametrize("side", [200, 40, 12])
def test_a_preview_has_the_colours_of_the_picture(colorizer, side):
    """Reduced, the picture of full size and the preview are the same but for rounding, of 8 bits and of 16."""
    pixels = photo(1, 120, 160)
    for kind, one in ((np.uint8, pixels), (np.uint16, pixels.astype(np.uint16) * 257)):
        session = colorizer.open(one)
        (shown,) = session.preview(side=side, saturation=1.2)
        (whole,) = session.paint(saturation=1.2)
        size = (min(side, 160), min(side, 160) * 3 // 4)
        assert (shown.shape, shown.dtype) == ((size[1], size[0], 3), np.uint8)
        expected = (whole.photo.pixels // (257 if kind == np.uint16 else 1)).astype(np.uint8)
        expected = np.asarray(Image.fromarray(expected).resize(size, Image.Resampling.BOX))
        assert np.abs(rgb2lab(shown) - rgb2lab(expected)).mean() < 1
        assert session.proxy(side).shape == (size[1], size[0])
    assert len(session.preview(side=side, variations=2)) == 2
    left = Guidance(only=Region([[(0, 0), (0.5, 0), (0.5, 1), (0, 1)]]))
    (part,), size = session.preview(side=side, guidance=left), session.proxy(side).shape[1]
    assert np.array_equal(part[:, -size // 3 :, 0], session.proxy(side)[:, -size // 3 :])
    assert not np.array_equal(part[:, : size // 3, 0], session.proxy(side)[:, : size // 3])


def test_a_quick_preview_asks_no_network_and_leaves_no_trace():
    guided = Colorizer(Copier(), look=Look(size=32), device="cpu")
    session = guided.open(photo())
    session.preview()
    (quick,) = session.preview(guidance=RED, quick=True)
    assert len(guided.network.asked) == 1
    (true,) = session.preview(guidance=RED)
    assert len(guided.network.asked) == 2
    assert np.abs(quick[30, 20].astype(int) - true[30, 20]).max() <= 2  # the wish is met at once
    assert np.array_equal(true, guided.open(photo()).preview(guidance=RED)[0])
