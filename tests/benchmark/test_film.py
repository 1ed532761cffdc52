"""The film benchmark on a film of a few frames, and the table of known timings."""

import pytest

pytest.importorskip("av")
pytest.importorskip("skimage.data")

from chromagan.benchmark.film import FilmTimings, time_film, timings_table  # noqa: E402
from chromagan.errors import ChromaganError  # noqa: E402
from chromagan.film.part import Coding  # noqa: E402
from tests.film.clips import STILL, Clip, lasting, make_clip  # noqa: E402
from tests.film.clips import Coding as ClipCoding  # noqa: E402


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    clip = Clip((lasting(STILL, 4),), (128, 72))
    return make_clip(tmp_path_factory.mktemp("film") / "gray.mkv", clip, ClipCoding("ffv1", options={}), colour=False)


@pytest.mark.process
def test_the_whole_command_is_timed_beside_its_coding_alone(film):
    timings = time_film(film, ["--model", "chromagan@small", "--size", "32"], Coding("ffv1", bits=10))
    assert timings.frames == 4
    assert timings.whole > timings.alone > 0
    assert max(timings.memory) > 50_000_000


@pytest.mark.process
def test_a_command_that_fails_is_told(film):
    with pytest.raises(ChromaganError, match="chromagan film failed: .*no_such"):
        time_film(film, ["--model", "no_such"], Coding("ffv1"))


def test_the_table_has_frames_a_second_and_the_ratio():
    memory = [100_000_000] * 4 + [200_000_000] * 4 + [150_000_000] * 4 + [210_000_000] * 4
    rows = timings_table(FilmTimings(1440, 192.0, 128.0, memory)).splitlines()
    assert rows[1].split() == ["whole", "command", "192.0", "7.50", "1.50"]
    assert rows[2].split() == ["decode", "+", "encode", "alone", "128.0", "11.25", "1.00"]
    assert rows[3] == "peak memory 0.21 GB; last quarter over the second 1.050"
    assert "memory" not in timings_table(FilmTimings(1440, 192.0, 128.0, []))
