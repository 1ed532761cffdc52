from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import lab2rgb, rgb2lab

from chromagan.conditioning.condition import NOTHING, Condition, GlobalHints, LocalHints
from chromagan.errors import DeviceError, ModelError, UsageError
from chromagan.images.metadata import read_provenance
from chromagan.images.read import read_photo, to_photo
from chromagan.inference import colorizer as module
from chromagan.inference.batch import colorize_files
from chromagan.inference.batch_plan import plan_jobs
from chromagan.inference.colorizer import Colorizer
from chromagan.inference.request import Request
from chromagan.inference.stages import predict, working_size
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.look import Look, balance
from chromagan.models.registry import build_network
from chromagan.pretrained.card import WeightsCard


class Painter(ColorizationNetwork):
    """ab = base + slope * (L - 50), averaged to a quarter: the answer is known for every photo."""

    stride = ab_stride = 4

    def __init__(self, base=(20.0, 30.0), slope=(0.0, 0.0)):
        super().__init__()
        self.config = {}
        self.seen = []
        self.register_buffer("base", torch.tensor(base).view(1, 2, 1, 1))
        self.register_buffer("slope", torch.tensor(slope).view(1, 2, 1, 1))

    def predict(self, L, hints):
        self.seen.append(tuple(L.shape))
        return Prediction(self.base + self.slope * (torch.nn.functional.avg_pool2d(L, 4) - 50))


def colorizer(size=32, **options):
    return Colorizer(Painter(**options), look=Look(size=size), device="cpu", sha256="0" * 64)


def gray(height, width, dtype=np.uint8, seed=0):
    """A smooth photo between dark and light, with a little noise."""
    y, x = np.mgrid[0:height, 0:width]
    value = 0.45 + 0.25 * np.sin(3 * y / height) + 0.2 * (x / width - 0.5)
    value += np.random.default_rng(seed).normal(0, 0.01, value.shape)
    return np.rint(value.clip(0, 1) * np.iinfo(dtype).max).astype(dtype)


def lightness(array):
    array = array / np.iinfo(array.dtype).max
    return rgb2lab(np.dstack([array] * 3) if array.ndim == 2 else array)[..., 0]


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (3, 2), (40, 2000), (2000, 3), (33, 47), (150, 101)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_any_size_keeps_size_depth_and_lightness(shape, dtype):
    photo = gray(*shape, dtype)
    out = colorizer()(photo)
    assert out.dtype == dtype
    assert out.shape == (*shape, 3)
    assert np.abs(lightness(out) - lightness(photo)).max() < (0.5 if dtype == np.uint8 else 0.01)
    assert (out[..., 0] > out[..., 2]).all()  # positive a and b everywhere: warm


def test_constant_answer_against_scikit_image():
    photo = gray(50, 70, np.uint16)
    out = colorizer()(photo) / 65535
    lab = np.dstack([lightness(photo), np.full(photo.shape, 20.0), np.full(photo.shape, 30.0)])
    expected = lab2rgb(lab)
    shown = (expected.min(axis=2) > 0.01) & (expected.max(axis=2) < 0.99)  # elsewhere chroma gives way
    assert shown.mean() > 0.5
    assert np.abs(out - expected)[shown].max() < 1e-3


@pytest.mark.parametrize("shape", [(120, 180), (181, 119), (30, 20)])
def test_colour_lies_where_the_network_put_it(shape):
    photo = gray(*shape, np.uint16)
    out = rgb2lab(colorizer(base=(0.0, 0.0), slope=(0.5, -0.3))(photo) / 65535)
    smooth = lightness(photo) - 50
    assert np.abs(out[..., 1] - 0.5 * smooth).mean() < 1.5
    assert np.corrcoef(out[..., 2].ravel(), -smooth.ravel())[0, 1] > 0.95


def test_working_size_keeps_the_aspect():
    assert working_size(480, 640, 64, 4) == (64, 84)  # 85.3 to a multiple of 4
    assert working_size(6400, 640, 64, 4) == (256, 64)  # long side at most four times the short one
    assert working_size(5, 3, 64, 4) == (108, 64)


def test_kinds_of_pictures(tmp_path):
    one, plain = colorizer(), gray(20, 30)
    reference = one(plain)
    assert np.array_equal(one(plain[..., None]), reference)
    assert np.array_equal(np.asarray(one(Image.fromarray(plain))), reference)
    Image.fromarray(plain).save(tmp_path / "a.png")
    for path in (tmp_path / "a.png", str(tmp_path / "a.png")):
        assert np.array_equal(np.asarray(one(path)), reference)
    as_float = one((plain / 255).astype(np.float32))
    assert as_float.dtype == np.float32
    assert np.abs(as_float - reference / 255).max() < 1 / 255
    assert one(plain > 128).dtype == np.uint8
    many = one([plain, Image.fromarray(plain)])
    assert np.array_equal(many[0], reference)
    assert isinstance(many[1], Image.Image)


def test_alpha_is_carried():
    alpha = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
    out = colorizer()(np.dstack([gray(20, 30)] * 3 + [alpha]))
    assert np.array_equal(out[..., 3], alpha)
    image = colorizer()(Image.fromarray(np.dstack([gray(20, 30), alpha]), "LA"))
    assert image.mode == "RGBA"
    assert np.array_equal(np.asarray(image)[..., 3], alpha)


def test_sixteen_bits_in_pil_are_told(tmp_path):
    Image.fromarray(gray(20, 30, np.uint16)).save(tmp_path / "a.png")
    with pytest.warns(UserWarning, match="16 bits"):
        image = colorizer()(tmp_path / "a.png")
    assert np.asarray(image).dtype == np.uint8


def test_a_batch_gives_what_single_photos_give():
    one = colorizer(slope=(0.5, 0.1))
    photos = [gray(40, 60, seed=s) for s in range(3)] + [gray(60, 40), gray(10, 90)]
    together = one(photos)
    assert (3, 1, 32, 48) in one.network.seen
    for photo, out in zip(photos, together, strict=True):
        assert np.abs(out.astype(int) - one(photo)).max() <= 1


def test_saturation_multiplies_chroma():
    photo = np.full((8, 8), 120, np.uint16) * 257
    chroma = [np.hypot(*rgb2lab(colorizer()(photo, saturation=factor) / 65535)[0, 0, 1:]) for factor in (0.5, 1.0)]
    assert chroma[0] == pytest.approx(np.hypot(10, 15), abs=0.1)
    assert chroma[1] == pytest.approx(np.hypot(20, 30), abs=0.1)


def test_answers_that_are_not_finite_are_refused():
    with pytest.raises(ModelError, match="not finite"):
        colorizer(base=(float("nan"), 0.0))(gray(8, 8))


@pytest.mark.parametrize("values", [{"size": 0}, {"size": 10**6}, {"saturation": -1}, {"saturation": float("nan")},
                                    {"typical_chroma": -1}, {"annealed_share": 1.1}, {"calm": -0.1}])  # fmt: skip
def test_looks_out_of_range(values):
    with pytest.raises(UsageError):
        Look(**values)
    with pytest.raises(ValueError, match="range"):
        Look.from_dict(values)


@pytest.mark.parametrize("values", [{"size": 0}, {"size": 10**6}, {"saturation": -1}, {"saturation": 11}, {"seed": -1},
                                    {"saturation": "1"}, {"size": "64"}])  # fmt: skip
def test_requests_out_of_range(values):
    with pytest.raises(UsageError):
        Request(**values)
    with pytest.raises(UsageError):
        colorizer()(gray(8, 8), **values)


def test_options_out_of_range():
    with pytest.raises(UsageError, match="batch size"):
        Colorizer(Painter(), device="cpu", batch_size=0)
    with pytest.raises(UsageError, match="hue"):
        colorizer()(gray(8, 8), hue=1)
    for photos in ("photo.jpg", gray(8, 8), to_photo(gray(8, 8))):
        with pytest.raises(UsageError, match="in brackets"):
            colorizer().colorize(photos)
    with pytest.raises(UsageError, match="a photo is a path"):
        colorizer().colorize([3])


def test_what_colorize_gives_for_a_path_is_saved_as_the_command_saves_it(tmp_path):
    source, one = tmp_path / "a.png", colorizer()
    Image.fromarray(gray(20, 30, np.uint16)).save(source)
    plan = plan_jobs([str(source)], tmp_path / "out", compare=True, layer=True)
    assert colorize_files(plan.jobs, lambda: one, lambda job, error: None).done == 1
    for given in (source, str(source), read_photo(source)):
        ((colored,),) = one.colorize([given])
        colored.save(tmp_path / "a-python.png")
        colored.compare(source).save(tmp_path / "a-python-compare.png")
        colored.layer().save(tmp_path / "a-python-layer.png")
        for kind in ("", "-compare", "-layer"):
            made = (tmp_path / f"a-python{kind}.png").read_bytes()
            assert made == (tmp_path / "out" / f"a{kind}.png").read_bytes()
    assert read_photo(tmp_path / "a-python.png").pixels.dtype == np.uint16
    assert read_provenance(tmp_path / "a-python.png") == colored.mark
    with pytest.warns(UserWarning, match="16 bits"):
        one(source).save(tmp_path / "pil.png")
    assert read_provenance(tmp_path / "pil.png") is None  # as the documentation says


def test_names_of_version_0_1_still_work():
    photo = gray(20, 30)
    with pytest.warns(DeprecationWarning, match="look=Look"):
        old = Colorizer(Painter(), size=48, saturation=0.5, device="cpu")
    assert old.look == Look(size=48, saturation=0.5)
    with pytest.warns(DeprecationWarning, match="look.size"):
        assert old.size == 48
    new = Colorizer(Painter(), look=Look(size=48, saturation=0.5), device="cpu")
    with pytest.warns(DeprecationWarning, match="replace"):
        old.size = 64
    assert old.look.size == 64
    with pytest.warns(DeprecationWarning, match="by name"):
        assert np.array_equal(old(photo, 1.5), new(photo, saturation=1.5))
    with pytest.warns(DeprecationWarning, match="colorize"):
        assert np.array_equal(old.colorize_photo(to_photo(photo)).pixels, new(photo))
    with pytest.raises(TypeError, match="hue"):
        Colorizer(Painter(), hue=1)


def test_an_answer_without_colour_is_told(caplog):
    photo = np.full((24, 32), 90, np.uint8)
    Colorizer(build_network("mean"), device="cpu")(photo)
    assert not caplog.messages
    colorizer = Colorizer(build_network("gray"), device="cpu", model="zeros")
    with pytest.raises(ModelError, match="model zeros answered gray"):
        next(colorizer.stream([photo]))
    for paint in (colorizer, lambda one: colorizer.open(one).paint()[0].photo.pixels):
        painted = paint(photo)
        assert np.ptp(painted[..., :3], axis=-1).max() <= 1
        (line,) = caplog.messages
        assert "model zeros answered gray" in line
        caplog.clear()


def test_devices():
    with pytest.raises(DeviceError, match="choose one of"):
        Colorizer(Painter(), device="abacus")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="cuda"):
            Colorizer.from_pretrained("chromagan", device="cuda")


def test_defaults_of_the_weights_are_honoured(monkeypatch):
    card = WeightsCard("painter", {}, "x", "x", "abc", "x", look=Look(size=48, saturation=1.5))
    monkeypatch.setattr(module, "load_pretrained", lambda source: (Painter(), card))
    monkeypatch.setattr(module, "load_upsampler", lambda: None)
    one = Colorizer.from_pretrained("painter.safetensors", device="cpu")
    assert (one.look, one.mark.sha256, one.mark.model) == (card.look, "abc", "painter")
    assert Colorizer.from_pretrained("painter.safetensors", "cpu", 64, saturation=1).look == Look(size=64)


def test_balance_draws_photos_towards_a_typical_chroma_and_keeps_hue():
    ab = torch.tensor([2.0, 15.0, 20.0, 200.0]).view(4, 1, 1, 1) * torch.tensor([0.6, -0.8]).view(1, 2, 1, 1)
    ab = ab.expand(4, 2, 3, 5)
    done = balance(ab, 20.0)
    factors = (done / ab).mean((1, 2, 3))
    torch.testing.assert_close(factors, torch.tensor([1.4, (20 / 15) ** 0.5, 1.0, 0.85]))
    torch.testing.assert_close(done / ab, factors.view(4, 1, 1, 1).expand_as(ab))  # one factor a photo: hue stays
    assert balance(ab, 0.0) is ab
    assert torch.equal(balance(torch.zeros(1, 2, 2, 2), 20.0), torch.zeros(1, 2, 2, 2))


class Copier(ColorizationNetwork):
    """The hints where there are some, else (5, 5); a histogram's first share comes on top."""

    accepts = frozenset({"local", "overall"})

    def __init__(self):
        super().__init__()
        self.config = {}
        self.seen = []

    def predict(self, L, condition):
        self.seen.append((len(L), condition != NOTHING))
        ab = torch.full((len(L), 2, *L.shape[2:]), 5.0)
        if condition == NOTHING:
            return Prediction(ab)
        assert condition.local.ab.shape == ab.shape
        ab = torch.where(condition.local.mask > 0, condition.local.ab, ab)
        return Prediction(ab if condition.overall is None else ab + condition.overall.histogram[:, :1, None, None])


def test_each_photo_gets_its_own_hints_whatever_shares_its_batch():
    network = Copier()
    shapes = [(16, 20), (20, 16), (16, 20), (16, 20), (16, 20), (20, 16)]
    lightness = [torch.full((1, 1, *shape), 50.0) for shape in shapes]
    hints = []
    for index, shape in enumerate(shapes):
        mask = torch.zeros(1, 1, *shape)
        mask[..., index : index + 3, 2:5] = 1
        hints.append(Condition(LocalHints(mask * torch.tensor([10.0 + index, -index]).view(1, 2, 1, 1), mask)))
    hints[2] = NOTHING
    statistics = GlobalHints(torch.full((1, 313), 0.25), torch.ones(1, 1), torch.ones(1, 2))
    hints[4] = replace(hints[4], overall=statistics)
    answers = [one.ab for one in predict(network, lightness, hints, 2)]
    assert sorted(network.seen) == [(1, False), (1, True), (2, True), (2, True)]
    assert (answers[2] == 5).all()
    for index in (0, 1, 3, 4, 5):
        local = hints[index].local
        on = local.mask.expand(-1, 2, -1, -1) > 0
        extra = 0.25 if index == 4 else 0
        assert torch.equal(answers[index][on], local.ab[on] + extra)
        assert (answers[index][~on] == 5 + extra).all()
    for index, (L, hint) in enumerate(zip(lightness, hints, strict=True)):
        assert torch.equal(predict(network, [L], [hint])[0].ab, answers[index])
    assert all((answer.ab == 5).all() for answer in predict(network, lightness))
