"""Several pictures of one photo: each depends on its own seed alone, in a call, in a session and in files."""

import cv2
import numpy as np
import pytest
import torch

from chromagan.color.ab_bins import AbBins
from chromagan.errors import ModelError
from chromagan.images.metadata import read_provenance
from chromagan.images.read import read_photo
from chromagan.inference import adviser, stages
from chromagan.inference.batch import colorize_files
from chromagan.inference.batch_plan import plan_jobs
from chromagan.inference.colorizer import Colorizer
from chromagan.inference.request import Request
from chromagan.inference.sinks import Files
from chromagan.models.contract import Prediction
from chromagan.models.look import Look
from tests.inference.conftest import OneColour, specks


class Doubtful(OneColour):
    """One colour, and a distribution over bins that hangs on lightness."""

    def __init__(self):
        super().__init__()
        self.bins = AbBins()

    def predict(self, L, condition):
        plain = super().predict(L, condition)
        low = torch.nn.functional.avg_pool2d(L, 4)
        wanted = torch.stack((low, 50 - low), 1)  # (N, 2, 1, h, w)
        away = (self.bins.centres.T[None, :, :, None, None] - wanted).square().sum(1)
        return Prediction(plain.ab, bin_logits=-away / 800)


@pytest.fixture
def photo():
    return specks(48, 64, 0, 256)


@pytest.fixture
def colorizer():
    return Colorizer(Doubtful(), look=Look(size=48), device="cpu", model="doubtful", sha256="7" * 64)


def test_each_picture_can_be_drawn_again_alone(colorizer, photo):
    ((*several,),) = colorizer.colorize([photo], Request(variations=3, seed=5))
    assert [one.seed for one in several] == [5, 6, 7]
    for one in several:
        ((alone,),) = colorizer.colorize([photo], Request(variations=1, seed=one.seed))
        assert np.array_equal(alone.photo.pixels, one.photo.pixels)
        assert alone.mark == one.mark
    assert len({one.photo.pixels.tobytes() for one in several}) == 3


def test_a_session_varies_without_asking_the_network_again(colorizer, photo):
    session = colorizer.open(photo)
    plain = session.paint()[0].photo.pixels
    colorizer.network.predict = None  # an answer more would fail
    first = session.paint(variations=2)
    assert np.array_equal(session.paint(variations=1, seed=1)[0].photo.pixels, first[1].photo.pixels)
    assert np.array_equal(session.paint()[0].photo.pixels, plain)
    assert not np.array_equal(first[0].photo.pixels, plain)


def test_a_network_without_bins_borrows_them_and_keeps_its_own_colours(monkeypatch, photo):
    with pytest.raises(ModelError, match="chromagan@small"):
        stages.answer(OneColour(), [stages.Walk(photo, Look(size=48), Request(variations=1)).start(OneColour())])
    monkeypatch.setattr(adviser, "load_pretrained", lambda name: (Doubtful(), None))
    colorizer = Colorizer(OneColour(), look=Look(size=48), device="cpu")
    made = colorizer.open(photo).paint(variations=20)
    torch.testing.assert_close(sum(one.ab for one in made).mean() / 20, torch.tensor(20.0), atol=4, rtol=0)
    ((again,),) = colorizer.colorize([photo], Request(variations=1, seed=7))
    assert np.array_equal(again.photo.pixels, made[7].photo.pixels)


def colorize(folder, colorizer, request, **options):
    plan = plan_jobs([str(folder / "in")], folder / "out", request=request, **options)
    outcome = colorize_files(plan.jobs, lambda: colorizer, lambda job, error: None, Files(quality=90))
    assert outcome.failed == 0
    return plan


def test_files_are_numbered_marked_each_by_its_seed_and_done_once(tmp_path, colorizer, photo):
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in" / "a.png"), photo)
    cv2.imwrite(str(tmp_path / "in" / "a.jpg"), photo)
    request = Request(variations=3, seed=4)
    plan = colorize(tmp_path, colorizer, request, compare=True, layer=True)
    names = {
        f"a{kind}.v{number}.{ending}" for kind in ("", "-compare") for number in (1, 2, 3) for ending in ("png", "jpg")
    }
    names |= {f"{name}-layer.v{number}.png" for name in ("a.jpg", "a.png") for number in (1, 2, 3)}
    names |= {"a.jpg-variations.jpg", "a.png-variations.jpg"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    assert {path.name for job in plan.jobs for path in job.outputs} == names
    mark = read_provenance(tmp_path / "out" / "a.v2.png")
    assert (mark.seed, mark.request) == (5, Request(variations=1, seed=5).digest)
    ((alone,),) = colorizer.colorize([photo], Request(variations=1, seed=5))
    assert np.array_equal(read_photo(tmp_path / "out" / "a.v2.png").pixels, alone.photo.pixels)
    sheet = read_photo(tmp_path / "out" / "a.png-variations.jpg")
    assert sheet.pixels.dtype == np.uint8
    assert sheet.pixels.shape[0] * sheet.pixels.shape[1] >= 3 * photo.size
    # What stands is not made again, and another seed's pictures do not replace it unasked.
    assert len(colorize(tmp_path, colorizer, request, compare=True, layer=True).skipped) == 2
    assert len(colorize(tmp_path, colorizer, Request(variations=3, seed=9)).kept) == 2


def test_every_page_of_a_tiff_is_varied(tmp_path, colorizer, photo):
    (tmp_path / "in").mkdir()
    cv2.imwritemulti(str(tmp_path / "in" / "a.tif"), [photo, photo[::-1].copy()])
    colorize(tmp_path, colorizer, Request(variations=2))
    done, pages = cv2.imreadmulti(str(tmp_path / "out" / "a.v2.tif"), flags=cv2.IMREAD_COLOR)
    ((_, alone),) = colorizer.colorize([photo[::-1]], Request(variations=2))
    assert np.array_equal(pages[1][..., ::-1], alone.photo.pixels)
    assert (tmp_path / "out" / "a-variations.jpg").exists()
