"""Reference photos of a colorizer: read once, told apart by their content, refused where they have no colours."""

import json
import logging
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from skimage import data

from chromagan.conditioning.guidance import Guidance, Reference
from chromagan.errors import ReadError, UsageError
from chromagan.inference.batch import colorize_files
from chromagan.inference.batch_plan import plan_jobs
from chromagan.inference.colorizer import Colorizer
from chromagan.inference.request import Request
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.look import Look


class Gray(ColorizationNetwork):
    """Next to no colours, and no branch: what has colours in the end has those of the reference."""

    stride = ab_stride = 4
    config = {}

    def predict(self, L, condition):
        return Prediction(torch.nn.functional.avg_pool2d(L, 4).expand(-1, 2, -1, -1) * 0 + 0.1)


@pytest.fixture(scope="module")
def colorizer():
    return Colorizer(Gray(), look=Look(size=64), device="cpu")


@pytest.fixture
def files(tmp_path):
    """A photo in gray, a mirrored part of it in colour, and another picture."""
    cat, coffee = (cv2.resize(one[..., ::-1], (150, 100), interpolation=cv2.INTER_AREA)
                   for one in (data.chelsea(), data.coffee()))  # fmt: skip
    pictures = {"gray": cv2.cvtColor(cat, cv2.COLOR_BGR2GRAY), "part": cat[8:, 12:][:, ::-1], "other": coffee}
    for name, picture in pictures.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
    return {name: str(tmp_path / f"{name}.png") for name in pictures}, cat[..., ::-1]


def guided(*names):
    return Request(guidance=Guidance(references=tuple(Reference(name) for name in names)))


def chroma(picture):
    return np.ptp(np.asarray(picture).astype(int), axis=2).mean()


def test_a_copy_gives_its_colours_and_another_picture_none(colorizer, files):
    paths, truth = files
    plain, good, poor = (colorizer.colorize([paths["gray"]], request)[0][0]
                         for request in (Request(), guided(paths["part"]), guided(paths["other"])))  # fmt: skip
    assert np.abs(good.photo.pixels.astype(int) - truth)[12:, 16:].mean() < 3 < chroma(truth) / 5
    assert chroma(poor.photo.pixels) < chroma(plain.photo.pixels) + 3
    (did,), (nothing,) = good.references, poor.references
    assert (did.name, nothing.name) == ("part.png", "other.png")
    assert did.same_scene > 0.6 > 0.1 > nothing.score
    assert plain.references == ()


def test_a_session_reads_a_reference_once_and_forgets_it_where_it_is_not_asked_for(colorizer, files, monkeypatch):
    paths, _ = files
    session, asked = colorizer.open(paths["gray"]), guided(paths["part"])
    first = session.paint(asked)[0]
    with monkeypatch.context() as patch:
        patch.setattr("chromagan.inference.album.read_photo", None)
        patch.setattr("chromagan.inference.album.tell", None)
        again = session.paint(asked, saturation=2.0)[0]
    assert (again.ab - first.ab).abs().mean() < 1
    assert session.paint()[0].references == ()


def test_the_digest_is_of_the_content(files):
    paths, _ = files
    copy = paths["part"].replace("part", "twin")
    with open(paths["part"], "rb") as file, open(copy, "wb") as twin:
        twin.write(file.read())
    digests = {guided(name).digest for name in (paths["part"], copy)}
    assert len(digests) == 1
    assert not {Request().digest, guided(paths["other"]).digest} & digests


def test_what_is_no_reference_is_told_in_one_line(colorizer, files, tmp_path):
    paths, _ = files
    with pytest.raises(UsageError, match=r"gray\.png: it has no colours"):
        colorizer(paths["gray"], guided(paths["gray"]))
    with pytest.raises(ReadError, match="there is no such file"):
        guided(str(tmp_path / "none.png"))
    asked = guided(paths["part"])
    cv2.imwrite(paths["part"], np.full((9, 9, 3), (0, 0, 255), np.uint8))
    with pytest.raises(UsageError, match="another photo than it was"):
        Colorizer(Gray(), look=Look(size=64), device="cpu")(paths["gray"], asked)


def test_a_batch_tells_what_references_did_and_hints_add_their_own(colorizer, files, tmp_path, caplog):
    paths, _ = files
    (tmp_path / "h.json").write_text(json.dumps({"version": 1, "references": [{"file": "other.png"}]}))
    plan = plan_jobs([paths["gray"]], tmp_path / "out", request=guided(paths["part"]), hints=[tmp_path / "h.json"])
    with caplog.at_level(logging.INFO, "chromagan"):
        outcome = colorize_files(plan.jobs, lambda: colorizer, lambda job, error: None)
    assert outcome.done == 1
    part, other = plan.jobs[0].told["references"]
    assert (part["name"], other["name"]) == ("part.png", "other.png")
    assert part["share"] > 0.8 > other["share"]
    assert "part.png: score" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("same_scene", [True, False])
def test_hands_do_not_take_the_sweaters_colour(tmp_path, same_scene):
    """The reference is the orange suit without the head: the suit takes its colour, the head keeps its painting."""
    photo = data.astronaut()
    suit = tmp_path / "suit.png"
    cv2.imwrite(str(suit), photo[270:, :400, ::-1])
    colorizer = Colorizer.from_pretrained("chromagan@small", "cpu")
    session = colorizer.open(photo)
    plain = session.paint()[0].ab
    if not same_scene:  # by likeness alone, as where the suit is another one
        find = colorizer.album.tell
        session.colorizer.album.tell = lambda *given: replace(find(*given), scene=None)
        session = colorizer.open(photo)
    (made,) = session.paint(guidance=Guidance(references=(Reference(str(suit)),)))
    change = (made.ab - plain).norm(dim=1)[0].numpy()
    height, width = change.shape
    head = change[height // 20 : 9 * height // 20, 3 * width // 10 : 58 * width // 100].mean()
    body = change[6 * height // 10 :, width // 5 : 55 * width // 100].mean()
    assert head < 4
    assert body > (10 if same_scene else 2) * head  # likeness alone moves the suit less
