"""The design's balance is counted; the pictures and the page hold what the schedules ask for."""

import base64
import io
import json
import re
from collections import Counter

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab

from chromagan.apps.cli.main import main
from chromagan.errors import DataError, UsageError, WriteError
from chromagan.evaluation.study.design import StudyOptions, assign_roles, design_session, design_sessions
from chromagan.evaluation.study.page import PageText, write_study
from chromagan.evaluation.study.pictures import (
    BLATANT,
    MatchedPhoto,
    centre_square,
    encode,
    false_colours,
    lightness_gap,
    match_photos,
    read_shown,
)


def schedules(photos=60, methods=3, **options):
    options = StudyOptions(**options)
    roles = assign_roles(options, list(range(photos)), photos)
    return options, roles, design_sessions(options, roles, methods)


def measured_in(session):
    return [trial for trial in session if trial.phase == "test" and trial.kind == "test"]


def test_the_defaults_are_the_published_numbers():
    options = StudyOptions()
    assert (options.practice, options.trials, options.checks, options.size) == (10, 40, 4, 256)
    assert (options.mode, options.presentation) == ("pairs", "sequential")


@pytest.mark.parametrize("methods", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("mode", ["pairs", "single"])
@pytest.mark.parametrize("trials", [40, 37])
def test_every_session_is_balanced_within_itself(methods, mode, trials):
    options, _, sessions = schedules(methods=methods, mode=mode, trials=trials, participants=25)
    for session in sessions:
        assert len(session) == 10 + trials
        assert len({trial.photo for trial in session}) == len(session), "a photo is seen twice"
        assert [trial.phase for trial in session] == ["practice"] * 10 + ["test"] * trials
        assert sum(trial.kind == "attention" for trial in session) == 4 == options.checks
        measured = measured_in(session)
        if mode == "pairs":
            counts = Counter(trial.method for trial in measured)
            assert max(counts.values()) - min(counts[m] for m in range(methods)) <= 1
            sides = Counter(trial.colorized_left for trial in measured)
            for method in range(methods):
                of_method = Counter(trial.colorized_left for trial in measured if trial.method == method)
                assert abs(of_method[True] - of_method[False]) <= 1
        else:
            sides = Counter(trial.shows_real for trial in measured)
            assert all((trial.method is None) == trial.shows_real for trial in measured)
        assert abs(sides[True] - sides[False]) <= 1


@pytest.mark.parametrize("methods", [1, 2, 3, 4])
def test_a_block_of_participants_crosses_photos_methods_and_sides(methods):
    _, roles, sessions = schedules(methods=methods, participants=2 * methods)
    seen = Counter((t.photo, t.method, t.colorized_left) for session in sessions for t in measured_in(session))
    photos = {photo for photo, _, _ in seen}
    assert len(photos) == 36
    assert seen == {(p, m, left): 1 for p in photos for m in range(methods) for left in (True, False)}
    _, _, sessions = schedules(methods=methods, participants=2 * methods, mode="single")
    seen = Counter((t.photo, t.method) for session in sessions for t in measured_in(session))
    assert all(seen[p, None] == methods and seen[p, m] == 1 for p in photos for m in range(methods))


def test_all_photos_serve_equally_over_the_blocks():
    # 60 - 10 - 4 = 46 photos are measured, 36 a block; 23 blocks of 2 participants show each 18 times on either side.
    _, roles, sessions = schedules(methods=1, participants=46)
    seen = Counter(trial.photo for session in sessions for trial in measured_in(session))
    assert seen == {photo: 36 for photo in roles.test}
    assert not set(seen) & {*roles.practice, *roles.attention}


def test_attention_checks_are_spread_and_change_sides():
    _, _, sessions = schedules(participants=8)
    for session in sessions:
        places = [index - 10 for index, trial in enumerate(session) if trial.kind == "attention"]
        assert [place // 10 for place in places] == [0, 1, 2, 3]
        assert sum(t.colorized_left for t in session if t.kind == "attention") == 2
    assert all(t.method is None and not t.shows_real for s in sessions for t in s if t.kind == "attention")


def test_schedules_hang_on_the_seed_and_the_number_alone():
    options, roles, sessions = schedules()
    assert sessions == schedules()[2]
    assert design_session(options, roles, 3, 7) == sessions[7]
    assert sessions != schedules(seed=1)[2]
    assert len({tuple(trial.photo for trial in session) for session in sessions}) == len(sessions)


@pytest.mark.parametrize(
    "wrong",
    [{"mode": "both"}, {"presentation": "fast"}, {"trials": 0}, {"practice": -1}, {"attention": 40}, {"attention": -1},
     {"participants": 0}, {"size": 20}],
)  # fmt: skip
def test_options_out_of_range(wrong):
    with pytest.raises(UsageError):
        StudyOptions(**wrong)


def test_too_few_photos():
    with pytest.raises(DataError, match="needs 50 photos .* there are 49"):
        schedules(photos=49)
    with pytest.raises(DataError, match="only 1 of 60"):
        assign_roles(StudyOptions(), [3], 60)


def picture(seed=0, height=90, width=120, low=60, high=200):
    coarse = np.random.default_rng(seed).integers(low, high, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height))


def test_false_colours_are_blatant_and_keep_lightness():
    real = picture()
    false, distance = false_colours(real, seed=3)
    a, b = rgb2lab(real), rgb2lab(false)
    assert np.abs(a[..., 0] - b[..., 0]).max() < 1
    assert np.hypot(*np.moveaxis(a - b, -1, 0)[1:]).mean() == pytest.approx(distance, abs=0.05)
    assert distance > BLATANT
    assert lightness_gap(real, false) < 0.5
    assert not np.array_equal(false, false_colours(real, seed=4)[0])
    black = np.full((32, 32, 3), 4, np.uint8)
    assert false_colours(black, seed=3)[1] < BLATANT


def test_the_shown_square():
    image = np.zeros((100, 300, 3), np.uint8)
    image[:, 100:200] = (10, 200, 30)
    assert (centre_square(image, 64) == (10, 200, 30)).all()
    assert centre_square(picture(), 256).shape == (256, 256, 3)
    same = picture(height=64, width=64)
    assert np.array_equal(centre_square(same, 64), same)


def test_png_is_exact_and_jpeg_keeps_chroma_unsampled():
    image = picture()
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode(image, "png")))), image)
    jpeg = Image.open(io.BytesIO(encode(image, "jpeg")))
    assert jpeg.format == "JPEG"
    assert {component[1:3] for component in jpeg.layer} == {(1, 1)}


def folder(root, count=6, suffix=".png", shift=0, **kind):
    root.mkdir()
    for index in range(count):
        image = np.roll(picture(index, **kind), shift, axis=-1)
        Image.fromarray(image).save(root / f"{index}{suffix}")
    return root


def test_matching_goes_by_stem_and_names_what_is_missing(tmp_path):
    real, ours = folder(tmp_path / "real"), folder(tmp_path / "ours", suffix=".webp")
    (real / "notes.txt").write_text("no picture")
    matched = match_photos(real, {"ours": ours})
    assert [photo.name for photo in matched] == list("012345")
    assert matched[2].colorized["ours"] == ours / "2.webp"
    (ours / "4.webp").unlink()
    with pytest.raises(DataError, match=r"ours \(.*1 missing \(4.png\)"):
        match_photos(real, {"ours": ours})
    (real / "4.png").unlink()
    (real / "1.png").unlink()
    with pytest.raises(DataError, match=r"1 extra \(1.webp\)"):
        match_photos(real, {"ours": ours})
    (real / "0.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"1 doubled \(0.jpg and 0.png\)"):
        match_photos(real, {})
    with pytest.raises(DataError, match="no photographs there"):
        match_photos(tmp_path / "nowhere", {})


def test_versions_may_be_smaller_but_not_cropped(tmp_path):
    real = folder(tmp_path / "real", count=1)
    half = folder(tmp_path / "half", count=1, height=45, width=60)
    crop = folder(tmp_path / "crop", count=1, height=90, width=90)
    shown, versions = read_shown(MatchedPhoto("0", real / "0.png", {"half": half / "0.png"}), 64)
    assert shown.shape == versions["half"].shape == (64, 64, 3)
    with pytest.raises(DataError, match="90 x 90 pixels cannot show 0.png of 120 x 90"):
        read_shown(MatchedPhoto("0", real / "0.png", {"crop": crop / "0.png"}), 64)


@pytest.fixture
def folders(tmp_path):
    return folder(tmp_path / "real"), {"ours": folder(tmp_path / "ours", shift=1), "b": folder(tmp_path / "b", shift=2)}


SHORT = StudyOptions(practice=1, trials=5, participants=4, size=64)


def page_data(path):
    html = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="study">(.*?)</script>', html, re.S)[1])


def test_the_page_holds_the_pictures_that_it_names(tmp_path, folders):
    real, methods = folders
    page = write_study(real, methods, tmp_path / "study", SHORT)
    data = page_data(page.path)
    assert data["id"] == page.study
    assert len(data["sessions"]) == 4
    for key, uri in data["pictures"].items():
        photo, version = key.split("/")
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2]))))
        source = picture(int(data["photos"][int(photo)]))
        if version == "false":
            assert np.abs(rgb2lab(shown) - rgb2lab(centre_square(source, 64)))[..., 1:].mean() > 10
        else:
            shift = 0 if version == "real" else 1 + int(version)
            assert np.array_equal(shown, centre_square(np.roll(source, shift, axis=-1), 64))
    wanted = set()
    for session in data["sessions"]:
        for _, kind, photo, method, left, alone in session:
            assert isinstance(left, bool)
            assert alone is None
            wanted |= {f"{photo}/real", f"{photo}/{'false' if kind == 'attention' else method}"}
    assert wanted == set(data["pictures"])
    summary = json.loads((tmp_path / "study" / "study.json").read_text())
    assert summary["id"] == page.study
    assert "pictures" not in summary
    assert any("lightness" in warning for warning in page.warnings), "rolled channels change lightness"


def test_a_study_is_reproducible_and_not_overwritten(tmp_path, folders):
    real, methods = folders
    first = write_study(real, methods, tmp_path / "a", SHORT)
    again = write_study(real, methods, tmp_path / "b2", SHORT)
    assert first.path.read_bytes() == again.path.read_bytes()
    with pytest.raises(WriteError, match="a study stands there"):
        write_study(real, methods, tmp_path / "a", SHORT)
    with pytest.raises(UsageError, match="embedded as png or jpeg"):
        write_study(real, methods, tmp_path / "c", SHORT, encoding="gif")
    assert write_study(real, methods, tmp_path / "a", SHORT, encoding="jpeg", overwrite=True).study != first.study


def test_text_cannot_break_the_page(tmp_path, folders):
    real, methods = folders
    for folder_of in (real, methods["ours"]):
        (folder_of / "0.png").rename(folder_of / "& 'it' &amp;.png")
    text = PageText("</title><b>", "<i>&", "a\n__STUDY__ {{ title }} </script>")
    page = write_study(real, {"</script><!--": methods["ours"]}, tmp_path / "study", SHORT, text)
    html = page.path.read_text()
    assert "&lt;/title&gt;&lt;b&gt;" in html
    assert html.count("</script>") == 2
    assert "__STUDY__ {{ title }} &lt;/script&gt;" in html
    assert page_data(page.path)["methods"] == ["</script><!--"]
    assert "& 'it' &amp;" in page_data(page.path)["photos"]
    assert "http://" not in html
    assert "https://" not in html


def test_a_page_that_is_too_large(tmp_path, folders, monkeypatch):
    monkeypatch.setattr("chromagan.evaluation.study.page.MAX_PAGE_BYTES", 50_000)
    with pytest.raises(DataError, match="--encoding jpeg"):
        write_study(folders[0], folders[1], tmp_path / "study", SHORT)
    assert not (tmp_path / "study").exists()


def test_the_command(tmp_path, folders, capsys):
    real, methods = folders
    out = tmp_path / "study"
    short = ["--practice", "1", "--trials", "3", "--participants", "4", "--size", "64", "--photos", "5"]
    words = [f"{name}={path}" for name, path in methods.items()]
    assert main(["study", "--real", str(real), "--colorized", *words, "-o", str(out), *short]) == 0
    printed = capsys.readouterr()
    assert "index.html?participant=1" in printed.out
    assert "chromagan: warning:" in printed.err
    assert len(page_data(out / "index.html")["photos"]) == 5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give --real DIR and --colorized"),
        (["--real", "x", "--colorized", "dir"], "dir is not a folder"),
        (["--real", "x", "--colorized", "a=.", "a=."], "two folders are called 'a'"),
        (["--real", "x", "--colorized", "real=."], "the name 'real' is taken"),
        (["--real", "x", "--results", "f.json"], "one or the other"),
        (["--real", "x", "--colorized", "a=.", "--trials", "0"], "at least 1 trial"),
    ],
)
def test_wrong_usage(words, message, capsys):
    assert main(["study", *words]) == 2
    assert message in capsys.readouterr().err
