import json
import os
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from chromagan.conditioning.guidance import Guidance, Stroke
from chromagan.errors import UsageError, WriteError
from chromagan.film import Progress, colorize, export_frames
from chromagan.film import plan as planning
from chromagan.film.folder import folder_of
from chromagan.film.frames import frames
from chromagan.film.guides import TimedReference, seconds_of, time_name
from chromagan.film.mark import read_provenance
from chromagan.film.plan import Plan
from chromagan.film.reel import open_reel
from chromagan.images.read import read_photo
from chromagan.inference.hint_files import write_hints
from chromagan.inference.request import Request
from tests.film.clips import LOSSLESS, STILL, Clip, Coding, Shot, lasting, make_clip

SIZE = (128, 72)
FAST = {"model": "chromagan@small", "request": Request(size=64)}
TWO = Clip((lasting(STILL, 20), Shot("coffee", 20, (0.4, 0.5, 0.5), (0.6, 0.5, 0.5))), SIZE, grain=3.0)


@pytest.fixture(autouse=True)
def short_windows(monkeypatch):
    """Windows of eight frames, that see as many ahead: a small film has several a scene."""
    monkeypatch.setattr(planning, "MOST_FRAMES", 8)
    monkeypatch.setattr(planning, "AHEAD", 8)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Two scenes of 20 frames, gray, lossless, with a tone."""
    return make_clip(tmp_path_factory.mktemp("film") / "gray.mkv", TWO, Coding("ffv1", options={}), colour=False)


def planes(path):
    """Of every frame: stamp in seconds, Y, U, V."""
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            parts = [
                np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width].copy()
                for plane in frame.planes
            ]
            found.append((frame.pts * frame.time_base, *parts))
    return found


def chroma(frame):
    """Mean distance of U and V from neutral."""
    return float(np.hypot(*(plane.astype(float) - 128 for plane in frame[2:])).mean())


def sound(path):
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.pts is not None]


class Stop(Progress):
    """Ctrl-C after so many frames of colouring."""

    def __init__(self, frames):
        self._left, self._colouring = frames, False

    def begin(self, what, frames, done=0):
        self._colouring = what == "colouring"

    def step(self):
        if self._colouring:
            self._left -= 1
            if self._left < 0:
                raise KeyboardInterrupt


class Never(Progress):
    """Of a film that is not begun."""

    def begin(self, what, frames, done=0):
        pytest.fail(what)


def test_luma_stamps_and_sound_stay_and_colours_come(film, tmp_path):
    made = tmp_path / "colour.mkv"
    outcome = colorize(film, made, codec="ffv1", **FAST)
    before, after = planes(film), planes(made)
    assert [one[0] for one in after] == [one[0] for one in before]
    assert all(np.array_equal(one[1], two[1]) for one, two in zip(before, after, strict=True))
    assert sound(made) == sound(film)
    assert min(map(chroma, after)) > 2
    assert (outcome.frames, outcome.scenes, outcome.damaged) == (40, 2, 0)
    assert 2 <= outcome.keys < 40
    assert read_provenance(made).model == "chromagan"
    assert not folder_of(made).exists()


def test_ten_bits_stay_ten(tmp_path):
    clip = Clip((lasting(STILL, 6),), SIZE)
    film = make_clip(tmp_path / "deep.mkv", clip, Coding("ffv1", pixels="yuv420p10le", options={}), colour=False)
    colorize(film, tmp_path / "colour.mkv", codec="ffv1", **FAST)
    one, two = (list(frames(open_reel(path))) for path in (film, tmp_path / "colour.mkv"))
    assert one[0].luma.dtype == np.uint16
    assert one[0].luma.max() > 255
    assert all(np.array_equal(a.luma, b.luma) for a, b in zip(one, two, strict=True))


def test_the_same_command_again_finds_it_finished_and_another_is_refused(film, tmp_path):
    made = tmp_path / "colour.mkv"
    colorize(film, made, codec="ffv1", **FAST)
    stood = made.stat().st_mtime_ns
    assert colorize(film, made, codec="ffv1", **FAST).finished_before
    with pytest.raises(UsageError, match="--overwrite"):
        colorize(film, made, codec="ffv1", model="chromagan@small", request=Request(size=64, saturation=0.5))
    assert made.stat().st_mtime_ns == stood


def test_finished_is_only_what_was_made_of_the_same_film_in_the_same_way(film, tmp_path):
    made, other = tmp_path / "colour.mkv", tmp_path / "other.mkv"
    make_clip(other, Clip((lasting(STILL, 6),), SIZE), LOSSLESS, colour=False)
    colorize(film, made, codec="ffv1", stop=0.5, **FAST)
    assert colorize(film, made, codec="ffv1", stop=0.5, **FAST).finished_before
    for source, options in ((film, {}), (film, {"stop": 0.4}), (film, {"stop": 0.5, "codec": "h264"}), (other, {})):
        with pytest.raises(UsageError, match="--overwrite"):
            colorize(source, made, **{"codec": "ffv1"} | options, **FAST)


@pytest.mark.parametrize("what", ["folder", "text"])
def test_an_output_that_is_no_film_is_not_touched(film, tmp_path, what):
    made = tmp_path / "colour.mkv"
    made.mkdir() if what == "folder" else made.write_text("mine")
    told = "is a folder" if what == "folder" else "stands there already"
    with pytest.raises(UsageError, match=told):
        colorize(film, made, overwrite=what == "folder", **FAST)
    assert made.is_dir() or made.read_text() == "mine"


@pytest.mark.parametrize("damage", ["empty", "truncated", "no state", "truncated state"])
def test_damaged_parts_are_made_anew(film, tmp_path, caplog, damage):
    made, whole = tmp_path / "made.mkv", tmp_path / "whole.mkv"
    colorize(film, whole, codec="ffv1", **FAST)
    with pytest.raises(KeyboardInterrupt):
        colorize(film, made, codec="ffv1", progress=Stop(11), **FAST)
    part, state = (next(folder_of(made).glob(f"{kind}-000000.*")) for kind in ("part", "state"))
    match damage:
        case "empty":
            part.write_bytes(b"")
        case "truncated":
            part.write_bytes(part.read_bytes()[:-2000])
        case "no state":
            state.unlink()
        case "truncated state":
            state.write_bytes(state.read_bytes()[:100])
    for later in [*folder_of(made).glob("part-00000[1-9].mkv")] if "state" in damage else []:
        later.unlink()
    colorize(film, made, codec="ffv1", **FAST)
    assert ("this part is damaged" in caplog.text) == ("state" not in damage)
    for one, two in zip(planes(whole), planes(made), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_what_is_finished_is_on_the_disk_before_it_has_its_name(film, tmp_path, monkeypatch):
    """A power cut leaves names of files whose content never came; nothing else can be seen of that without one."""
    synced, moved = set(), []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (synced.add(os.fstat(file).st_ino), sync(file))[1])

    def watched(source, target):
        moved.append((os.path.basename(target), os.stat(source).st_ino in synced))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    colorize(film, tmp_path / "made.mkv", codec="ffv1", stop=0.5, **FAST)
    assert {"plan.json", "part-000000.mkv", "state-000000.npz", "made.mkv"} <= {name for name, _ in moved}
    assert all(before for _, before in moved)


@pytest.mark.parametrize("after", [0, 3, 11, 25, 39])
def test_what_was_interrupted_goes_on_to_the_same_film(film, tmp_path, after):
    whole, made = tmp_path / "whole.mkv", tmp_path / "made.mkv"
    all_keys = colorize(film, whole, codec="ffv1", **FAST).keys
    with pytest.raises(KeyboardInterrupt):
        colorize(film, made, codec="ffv1", progress=Stop(after), **FAST)
    assert not made.exists()
    stood = sorted(folder_of(made).glob("part-*.mkv"))
    outcome = colorize(film, made, codec="ffv1", **FAST)
    for one, two in zip(planes(whole), planes(made), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert outcome.keys < all_keys or not stood
    assert sound(made) == sound(whole)


def test_a_file_where_the_parts_must_be(film, tmp_path):
    folder_of(tmp_path / "made.mkv").write_text("mine")
    with pytest.raises(UsageError, match="is a file, where the folder"):
        colorize(film, tmp_path / "made.mkv", **FAST)
    assert folder_of(tmp_path / "made.mkv").read_text() == "mine"


def test_a_folder_with_files_of_others_is_not_emptied(film, tmp_path):
    folder = folder_of(tmp_path / "made.mkv")
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="no part of a film, notes.txt"):
        colorize(film, tmp_path / "made.mkv", **FAST)
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_name_too_long_for_its_parts_is_one_line(film, tmp_path):
    with pytest.raises(WriteError, match="the name is too long"):
        colorize(film, tmp_path / f"{'a' * 248}.mkv", **FAST)


def test_a_folder_with_a_colon_is_no_address(film, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    colorize(film, "reel:1/made.mkv", codec="ffv1", stop=0.2, **FAST)
    assert len(planes(tmp_path / "reel:1" / "made.mkv")) == 5


def test_parts_of_other_options_are_not_used(film, tmp_path, caplog):
    made, other = tmp_path / "made.mkv", tmp_path / "other.mkv"
    with pytest.raises(KeyboardInterrupt):
        colorize(film, made, codec="ffv1", progress=Stop(20), **FAST)
    vivid = {"model": "chromagan@small", "request": Request(size=64, saturation=1.5)}
    colorize(film, made, codec="ffv1", **vivid)
    assert "made anew" in caplog.text
    colorize(film, other, codec="ffv1", **vivid)
    assert all(np.array_equal(a[2], b[2]) for a, b in zip(planes(made), planes(other), strict=True))


@pytest.mark.process
def test_several_processes_make_the_same_film(film, tmp_path):
    one, two = tmp_path / "one.mkv", tmp_path / "two.mkv"
    colorize(film, one, codec="ffv1", **FAST)
    told = []

    class Count(Progress):
        def step(self):
            told.append(1)

    colorize(film, two, codec="ffv1", jobs=2, progress=Count(), **FAST)
    # Windows are as long as ever in the other processes, so scenes are compared, not windows.
    assert [one[0] for one in planes(one)] == [two[0] for two in planes(two)]
    assert len(told) == 80
    assert min(map(chroma, planes(two))) > 2


def test_nothing_crosses_a_cut(film, tmp_path):
    """A scene has the colours that it has alone."""
    made, alone = tmp_path / "made.mkv", tmp_path / "alone.mkv"
    colorize(film, made, codec="ffv1", **FAST)
    colorize(film, alone, codec="ffv1", start=20 / 24, **FAST)
    assert all(np.array_equal(a[2], b[2]) for a, b in zip(planes(made)[20:], planes(alone), strict=True))


def test_a_stretch_begins_at_nought(film, tmp_path):
    made = tmp_path / "made.mkv"
    outcome = colorize(film, made, codec="ffv1", start="0:00.5", stop="0:01", **FAST)
    assert outcome.frames == 12
    after = planes(made)
    assert after[0][0] == 0
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(planes(film)[12:24], after, strict=True))


def test_a_reference_guides_its_own_scene_alone(film, tmp_path):
    plain, made, photo = tmp_path / "plain.mkv", tmp_path / "made.mkv", tmp_path / "blue.png"
    colorize(film, plain, codec="ffv1", **FAST)
    # The scene's own picture, in colours that no network would give.
    lab = cv2.cvtColor(TWO.rgb(25), cv2.COLOR_RGB2Lab)
    lab[..., 1], lab[..., 2] = 110, 70
    cv2.imwrite(str(photo), cv2.cvtColor(lab, cv2.COLOR_Lab2BGR))
    colorize(film, made, codec="ffv1", references=[f"1.1={photo}"], **FAST)
    one, two = planes(plain), planes(made)
    assert all(np.array_equal(a[2], b[2]) for a, b in zip(one[:20], two[:20], strict=True))
    blue = [float(frame[2].mean() - frame[3].mean()) for frame in (*one[20:], *two[20:])]
    assert min(blue[20:]) > max(blue[:20]) + 8


def test_what_guides_the_film_beyond_the_stretch_is_left_out_and_told(film, tmp_path, caplog):
    photo, folder = tmp_path / "photo.png", tmp_path / "frames"
    cv2.imwrite(str(photo), TWO.rgb(25))
    export_frames(film, folder)
    for frame in folder.glob("*.png"):
        cv2.imwrite(str(frame), TWO.rgb(25))
    (folder / "sky.hints.json").write_text("{}")
    piece = {"start": 0.1, "stop": 0.6, "codec": "ffv1", **FAST}
    colorize(film, tmp_path / "made.mkv", references=[f"0.1={photo}", f"1.4={photo}"], hints=folder, **piece)
    told = [line for line in caplog.messages if "left out" in line]
    assert [line.split(": ", 1)[0] for line in told] == [
        f"--reference {photo}", str(folder / "sky.hints.json"), str(folder / "0h00m01.250s.png"),
    ]  # fmt: skip
    for options in (piece, {**piece, "start": None, "stop": None}):
        with pytest.raises(UsageError, match="100 s lies outside of the film"):
            colorize(film, tmp_path / "other.mkv", references=[f"100={photo}"], **options)


@pytest.mark.parametrize("wrong", ["gray photo", "no hints", "broken hints"])
def test_what_cannot_guide_is_told_before_the_film_is_read(film, tmp_path, wrong):
    photo, folder = tmp_path / "gray.png", tmp_path / "frames"
    folder.mkdir()
    cv2.imwrite(str(photo), TWO.rgb(25)[..., 0])
    if wrong == "broken hints":
        (folder / "0h00m00.417s.hints.json").write_text("{")
    options = {"references": [str(photo)]} if wrong == "gray photo" else {"hints": folder}
    with pytest.raises(UsageError):
        colorize(film, tmp_path / "made.mkv", progress=Never(), **options, **FAST)
    assert not folder_of(tmp_path / "made.mkv").exists()


def test_frames_that_stand_there_are_not_written_over(film, tmp_path):
    (first,) = export_frames(film, tmp_path, stop=0.5)
    with pytest.raises(UsageError, match=f"{first.name}: stands there already; --overwrite"):
        export_frames(film, tmp_path, stop=0.5)
    export_frames(film, tmp_path, stop=0.5, overwrite=True)


def test_a_film_that_ends_in_the_middle_is_told(tmp_path, caplog):
    whole, broken = tmp_path / "whole.mkv", tmp_path / "broken.mkv"
    make_clip(whole, Clip((lasting(STILL, 60),), SIZE), LOSSLESS, colour=False)
    broken.write_bytes(whole.read_bytes()[: whole.stat().st_size // 3])
    outcome = colorize(broken, tmp_path / "made.mkv", **FAST)
    assert 0 < outcome.frames < 30
    assert "it may be cut short" in caplog.text
    assert any("cut short" in note for note in outcome.notes)
    caplog.clear()
    assert colorize(whole, tmp_path / "other.mkv", start=2.3, **FAST).frames == 4
    assert "cut short" not in caplog.text


def test_a_stretch_between_two_frames_is_told(film, tmp_path):
    with pytest.raises(UsageError, match=r"there is no frame from 0\.05 s to 0\.06 s"):
        colorize(film, tmp_path / "made.mkv", start=0.05, stop=0.06, **FAST)


def test_a_corrected_frame_leads_its_scene(film, tmp_path):
    plain, made, folder = tmp_path / "plain.mkv", tmp_path / "made.mkv", tmp_path / "frames"
    files = export_frames(film, folder)
    assert [file.name for file in files] == ["0h00m00.417s.png", "0h00m01.250s.png"]
    exported = cv2.imread(str(files[0]), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(exported, cv2.imread(str(files[0]), cv2.IMREAD_GRAYSCALE))
    stroke = {"kind": "colour", "points": [[0.5, 0.5]], "radius": 0.2, "rgb": "#2040ff"}
    hints = folder / f"{files[0].stem}.hints.json"
    hints.write_text(json.dumps({"version": 1, "strokes": [stroke]}))
    colorize(film, plain, codec="ffv1", **FAST)
    colorize(film, made, codec="ffv1", hints=folder, **FAST)
    one, two = planes(plain), planes(made)
    middle = np.s_[16:20, 28:36]
    changed = [float((b[2][middle].astype(float) - a[2][middle]).mean()) for a, b in zip(one, two, strict=True)]
    assert min(changed[:20]) > 10
    assert all(np.array_equal(a[2], b[2]) for a, b in zip(one[20:], two[20:], strict=True))


def test_hints_that_the_studio_saved_belong_to_their_frame(film, tmp_path, caplog):
    """It writes down which photo they are for: the exported frame, not what the network is shown of it."""
    folder = tmp_path / "frames"
    first, second = export_frames(film, folder)
    for file, made_for in ((first, first), (second, first)):
        stroke = Stroke("colour", ((0.5, 0.5),), 0.1, (110, 90, 90))
        write_hints(Guidance((stroke,)), read_photo(made_for), folder / f"{file.stem}.hints.json")
    colorize(film, tmp_path / "made.mkv", codec="ffv1", hints=folder, **FAST)
    told = [record.getMessage() for record in caplog.records if "another photo" in record.getMessage()]
    assert len(told) == 1


def test_every_frame_by_itself_when_steadiness_is_not_wanted(film, tmp_path):
    made = tmp_path / "made.mkv"
    assert colorize(film, made, codec="ffv1", steady=False, stop=0.5, **FAST).keys == 12


def test_a_turned_film_is_seen_upright(tmp_path):
    clip = Clip((lasting(STILL, 4),), SIZE)
    upright = make_clip(tmp_path / "upright.mkv", clip, LOSSLESS, colour=False)
    straight = planes(upright)
    turned = tmp_path / "turned.mp4"
    with av.open(str(turned), "w") as container:
        stream = container.add_stream("libx264", rate=24, width=72, height=128, options={"crf": "0"})
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 24)
        stream.codec_context.colorspace = 1  # BT.709, as the other film says
        stream.set_display_rotation(90)  # counter-clockwise
        for number, (_, luma, *_rest) in enumerate(straight):
            frame = av.VideoFrame(72, 128, "yuv420p")
            for plane, codes in zip(frame.planes, (np.rot90(luma, -1), 128, 128), strict=True):
                rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
                rows[:] = codes
            frame.pts, frame.time_base = number, Fraction(1, 24)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert open_reel(turned).rotation == 90
    for name, source in (("a.mkv", upright), ("b.mkv", turned)):
        colorize(source, tmp_path / name, codec="ffv1", **FAST)
    a, b = planes(tmp_path / "a.mkv")[0], planes(tmp_path / "b.mkv")[0]
    assert np.array_equal(np.rot90(b[1]), a[1])
    assert np.abs(np.rot90(b[2]).astype(int) - a[2]).mean() < 1


@pytest.mark.parametrize(("given", "seconds"), [
    ("1.5", 1.5), ("1:02", 62), ("1:00:00.25", 3600.25), (3.0, 3.0), (None, None),
])  # fmt: skip
def test_times_are_read(given, seconds):
    assert seconds_of(given) == seconds


@pytest.mark.parametrize("given", ["", "1:2:3:4", "abc", "1,5", "-1"])
def test_other_times_are_refused(given):
    with pytest.raises(UsageError, match="no time"):
        seconds_of(given)


@pytest.mark.parametrize(("seconds", "name"), [
    (0, "0h00m00.000s"), (3661.0004, "1h01m01.000s"), (59.9999, "0h01m00.000s"),
])  # fmt: skip
def test_times_are_named(seconds, name):
    assert time_name(seconds) == name


def test_a_reference_that_is_not_there_is_told():
    with pytest.raises(UsageError, match="no such file"):
        TimedReference.parse("0:10=missing.jpg")


def test_windows_cover_each_frame_once_and_stay_in_their_scene():
    plan = Plan(tuple(range(500)), tuple(range(500)), frozenset(), (0, 3, 100))
    windows = plan.windows(1000)
    assert [frame for window in windows for frame in range(window.start, window.stop)] == list(range(500))
    ends = [3, 100, 500]
    for window in windows:
        assert plan.scene_of(window.start) == plan.scene_of(window.stop - 1) == window.scene
        assert window.stop <= window.ahead <= ends[window.scene]
        assert window.first == (window.start in plan.scenes)
