"""Which film belongs to which, and which frame to which: real files, real encoders."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from chromagan.errors import DataError
from chromagan.evaluation.film.clips import find_clips, frames_together, match_clips

av = pytest.importorskip("av")


def picture(level, size=(24, 32)):
    return np.full((*size, 3), level, np.uint8)


def write_film(path, levels, size=(24, 32), ticks=None, rate=24):
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as film:
        stream = film.add_stream("ffv1", rate=rate)
        stream.width, stream.height, stream.pix_fmt = size[1], size[0], "bgr0"
        stream.codec_context.time_base = Fraction(1, rate)
        for i, level in enumerate(levels):
            frame = av.VideoFrame.from_ndarray(picture(level, size), format="rgb24").reformat(format="bgr0")
            frame.pts, frame.time_base = (ticks or range(len(levels)))[i], Fraction(1, rate)
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
    return path


def write_frames(folder, levels, name="{}.png", size=(24, 32)):
    folder.mkdir(parents=True, exist_ok=True)
    for i, level in enumerate(levels):
        cv2.imwrite(str(folder / name.format(i)), picture(level, size))
    return folder


def together(truth, **methods):
    clips = {name: next(iter(find_clips(path).values())) for name, path in methods.items()}
    return [(int(true[0, 0, 0]), *(int(made[name][0, 0, 0]) for name in methods))
            for true, made in frames_together(next(iter(find_clips(truth).values())), clips)]  # fmt: skip


def test_films_and_folders_of_frames_go_together_in_the_order_of_their_numbers(tmp_path):
    levels = list(range(0, 240, 20))  # 12 of them: 10 comes behind 9
    film = write_film(tmp_path / "film.mkv", levels)
    plain = write_frames(tmp_path / "plain", levels)
    padded = write_frames(tmp_path / "padded", levels, "frame_{:05d}.png")
    assert together(film, plain=plain, padded=padded) == [(level,) * 3 for level in levels]
    assert together(plain, film=film) == [(level,) * 2 for level in levels]


def test_a_variable_rate_goes_with_itself_in_another_container(tmp_path):
    levels, ticks = [10, 20, 30, 40, 50], [0, 1, 4, 5, 9]
    truth = write_film(tmp_path / "truth.mkv", levels, ticks=ticks)
    later = write_film(tmp_path / "later.nut", levels, ticks=[tick + 5 for tick in ticks])  # it begins later
    assert together(truth, later=later) == [(level,) * 2 for level in levels]
    even = write_film(tmp_path / "even.mkv", levels)
    with pytest.raises(DataError, match=r"frame 3 of even is shown 0.083 s after the first and the truth's 0.1"):
        together(truth, even=even)


@pytest.mark.parametrize(("levels", "says"), [([1, 2], "has 2 frames and"), ([1, 2, 3, 4], "has more frames than")])
def test_another_number_of_frames_is_told(tmp_path, levels, says):
    truth, other = write_frames(tmp_path / "truth", [1, 2, 3]), write_frames(tmp_path / "ours", levels)
    with pytest.raises(DataError, match=says) as error:
        together(truth, ours=other)
    assert "\n" not in str(error.value)


def test_another_size_is_told(tmp_path):
    truth, other = write_frames(tmp_path / "truth", [1, 2]), write_frames(tmp_path / "ours", [1, 2], size=(12, 16))
    with pytest.raises(DataError, match="frame 1 of ours is 16 x 12 pixels and the truth 32 x 24"):
        together(truth, ours=other)


def test_clips_of_a_folder(tmp_path):
    write_film(tmp_path / "films" / "a.mkv", [1])
    write_film(tmp_path / "films" / "b" / "c.nut", [1])
    assert list(find_clips(tmp_path / "films")) == ["a", "b/c"]
    write_frames(tmp_path / "many" / "bear", [1, 2])
    write_frames(tmp_path / "many" / "car" / "left", [1, 2])
    assert list(find_clips(tmp_path / "many")) == ["bear", "car/left"]
    assert list(find_clips(write_frames(tmp_path / "one", [1]))) == ["one"]
    assert list(find_clips(tmp_path / "films" / "a.mkv")) == ["a"]


def test_what_is_no_clip_is_told(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="neither films nor frames"):
        find_clips(tmp_path / "empty")
    write_film(tmp_path / "mixed" / "a.mkv", [1])
    write_frames(tmp_path / "mixed", [1])
    with pytest.raises(DataError, match=r"films and photos \(0.png\) are in it"):
        find_clips(tmp_path / "mixed")
    write_film(tmp_path / "twice" / "a.mkv", [1])
    write_film(tmp_path / "twice" / "a.nut", [1])
    with pytest.raises(DataError, match="two films are called a;"):
        find_clips(tmp_path / "twice")


def test_names_matter_where_there_are_several(tmp_path):
    for name in ("a", "b"):
        write_film(tmp_path / "truth" / f"{name}.mkv", [1])
        write_frames(tmp_path / "ours" / name, [1])
    truth, ours = find_clips(tmp_path / "truth"), find_clips(tmp_path / "ours")
    assert {name: list(made) for name, made in match_clips(truth, {"ours": ours}).items()} == {
        "a": ["ours"], "b": ["ours"],
    }  # fmt: skip
    write_frames(tmp_path / "ours" / "c", [1])
    (tmp_path / "ours" / "b" / "0.png").unlink()
    with pytest.raises(DataError, match=r"ours: 1 missing \(b\); ours: 1 extra \(c\)"):
        match_clips(truth, {"ours": find_clips(tmp_path / "ours")})
    alone = find_clips(tmp_path / "truth" / "a.mkv")
    assert list(match_clips(alone, {"x": {"of another name": alone["a"]}})["a"]) == ["x"]
