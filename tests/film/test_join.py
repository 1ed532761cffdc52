"""Parts become a film with the source's stamps, sound and words."""

import av
import numpy as np
import pytest

from chromagan.film.mark import read_provenance
from chromagan.film.part import Coding
from tests.film.coloured import MARK, colour
from tests.film.reels import make, packets, shown

CODINGS = (("h264", ".mp4"), ("h265", ".mkv"), ("av1", ".mp4"), ("ffv1", ".mkv"), ("prores", ".mov"))


@pytest.mark.parametrize(("codec", "suffix"), CODINGS)
def test_a_joined_film_shows_the_frames_of_its_parts_at_the_times_of_the_source(tmp_path, codec, suffix):
    source, output = tmp_path / "source.mp4", tmp_path / f"film{suffix}"
    times = make(source, options={"g": "12", "bf": "3"})
    _, _, parts = colour(source, output, Coding(codec), cuts=(9, 10, 11, 20))
    found = list(shown(output))
    apart = [luma for part in parts for _, luma in shown(part)]
    assert [float(time) for time, _ in found] == pytest.approx([float(t) for t in times], abs=0.0005)
    assert all(np.array_equal(luma, other) for (_, luma), other in zip(found, apart, strict=True))
    with av.open(str(output)) as film:
        stamps = [packet.dts for packet in film.demux(video=0) if packet.dts is not None]
    assert all(early < late for early, late in zip(stamps, stamps[1:], strict=False))
    assert read_provenance(output) == MARK


def test_sound_comes_through_packet_by_packet(tmp_path):
    source, output = tmp_path / "source.mp4", tmp_path / "film.mp4"
    make(source, sound="aac")
    assert colour(source, output, Coding("h264"))[0] == []
    assert packets(output, "audio") == packets(source, "audio")
