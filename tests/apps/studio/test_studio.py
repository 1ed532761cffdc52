"""Desks: what one tab brings no other sees, and what is brought is bounded, and deleted."""

import os
from dataclasses import replace

import cv2
import numpy as np
import pytest

from chromagan.apps.studio import handlers
from chromagan.apps.studio import studio as studio_module
from chromagan.apps.studio.desk import Limits, UnknownDesk, UnknownPhoto
from chromagan.apps.studio.work import request_of
from chromagan.errors import ReadError, UsageError
from tests.apps.studio.conftest import gray_photo


def brought(studio, desk, source, name=None):
    path = studio.place(desk, name or source.name)
    path.write_bytes(source.read_bytes())
    return studio.take(desk, path)


def test_two_people_do_not_see_each_others_photos(make_studio, tmp_path):
    studio = make_studio()
    mine, theirs = studio.enter(), studio.enter()
    picture = brought(studio, mine, gray_photo(tmp_path / "family.png"))
    assert handlers.open_photo(studio, mine, {"photo": picture.key})["name"] == "family.png"
    assert handlers.listing(studio, theirs)["photos"] == []
    for wish in (handlers.open_photo, handlers.before, handlers.paint, handlers.save, handlers.close_photo):
        with pytest.raises(UnknownPhoto):
            wish(studio, theirs, {"photo": picture.key, "work": {}})
    reference = {"guidance": {"references": [{"file": picture.key}]}}
    with pytest.raises(UnknownPhoto):
        request_of(theirs, reference)
    assert len({mine.key, theirs.key}) == 2
    assert min(len(mine.key), len(theirs.key)) >= 24


def test_a_reference_is_not_a_photo_to_colour(make_studio, tmp_path):
    studio = make_studio()
    desk = studio.enter()
    picture = brought(studio, desk, gray_photo(tmp_path / "a.png"))
    path = studio.place(desk, "b.png")
    path.write_bytes((tmp_path / "a.png").read_bytes())
    reference = studio.take(desk, path, reference=True)
    assert [one["key"] for one in handlers.listing(studio, desk)["photos"]] == [picture.key]
    assert handlers.start_batch(studio, desk, {"work": {}})["total"] == 1
    desk.batch.wait()
    with pytest.raises(UsageError):
        handlers.save(studio, desk, {"photo": reference.key, "work": {}})


def test_what_was_brought_is_deleted(make_studio, tmp_path):
    studio = make_studio(limits=Limits(idle_seconds=0))
    desk = studio.enter()
    first, second = (brought(studio, desk, gray_photo(tmp_path / name)) for name in ("a.png", "b.png"))
    assert first.job.source.exists()
    handlers.close_photo(studio, desk, {"photo": first.key})
    assert not first.job.source.exists()
    assert second.job.source.exists()
    home = second.job.source.parents[2]
    studio.enter()  # whoever comes next: a desk without a sign for longer than it may is cleared
    assert not second.job.source.exists()
    with pytest.raises(UnknownDesk):
        studio.desk(desk.key)
    studio.close()
    assert not home.exists()


def test_what_is_brought_is_bounded(make_studio, tmp_path):
    studio = make_studio(limits=Limits(photos=2, pixels=20_000, desks=2))
    desk = studio.enter()
    photo = gray_photo(tmp_path / "a.png")
    names = ("../../a.png", "..\\a.png", "a\n.png", "a.exe", "", ".", "a.png/..", "/etc/passwd", "x" * 300 + ".png")
    for name in names:
        try:
            path = studio.place(desk, name)
        except UsageError:
            continue
        assert path.name == "a.png"
        assert desk.folder in path.parents
    with pytest.raises(ReadError, match="pixels"):
        brought(studio, desk, gray_photo(tmp_path / "large.png", size=(200, 200)))
    (tmp_path / "text.png").write_text("no photo")
    with pytest.raises(ReadError, match=r"text\.png") as told:
        brought(studio, desk, tmp_path / "text.png")
    assert str(desk.folder) not in str(told.value)
    assert not [path for path in desk.folder.rglob("*") if path.is_file()]
    brought(studio, desk, photo)
    brought(studio, desk, photo)
    with pytest.raises(UsageError, match="2 photos"):
        brought(studio, desk, photo)
    studio.enter()
    with pytest.raises(UsageError, match="full"):
        studio.enter()


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_out_of_the_folders_are_not_followed(make_studio, photos, tmp_path):
    secret = gray_photo(tmp_path / "secret.png")
    (photos / "link.png").symlink_to(secret)
    studio = make_studio(photos)
    desk = studio.enter()
    key = next(key for key, one in desk.pictures.items() if one.name == "link.png")
    with pytest.raises(UnknownPhoto):
        handlers.open_photo(studio, desk, {"photo": key})
    # A folder of outputs that leads elsewhere is not written into, a link instead of hints not read.
    good = next(key for key, one in desk.pictures.items() if one.name == "0.png")
    picture = desk.pictures[good]
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "deep").symlink_to(tmp_path / "elsewhere")
    job = replace(picture.job, output=tmp_path / "out" / "deep" / "0.png")
    with pytest.raises(UnknownPhoto):
        handlers.writable(studio, desk, job)
    (tmp_path / "hints.txt").write_text("{}")
    picture.hints.symlink_to(tmp_path / "hints.txt")
    with pytest.raises(UnknownPhoto):
        handlers.open_photo(studio, desk, {"photo": good})


def test_a_photo_that_was_named_is_opened_though_it_is_a_link(make_studio, tmp_path):
    gray_photo(tmp_path / "a.png")
    (tmp_path / "named.png").symlink_to(tmp_path / "a.png")
    studio = make_studio(tmp_path / "named.png")
    desk = studio.enter()
    assert handlers.open_photo(studio, desk, {"photo": next(iter(desk.pictures))})["height"] == 96


def test_of_many_photos_those_touched_last_are_held(make_studio, photos, monkeypatch):
    monkeypatch.setattr(studio_module, "_PIXELS_KEPT", 96 * 128)
    studio = make_studio(photos)
    desk = studio.enter()
    first, second, third = desk.pictures.values()
    sessions = [studio.session(desk, picture) for picture in (first, second)]
    assert studio.session(desk, first) is sessions[0]
    studio.session(desk, third)
    assert studio.session(desk, first) is sessions[0]
    assert studio.session(desk, second) is not sessions[1]


def test_black_and_white_alone_is_refused(make_studio, tmp_path):
    cv2.imwrite(str(tmp_path / "fax.png"), np.kron(np.eye(8, dtype=np.uint8), np.full((9, 9), 255, np.uint8)))
    studio = make_studio(tmp_path / "fax.png")
    desk = studio.enter()
    with pytest.raises(ReadError, match="black and white alone"):
        handlers.open_photo(studio, desk, {"photo": next(iter(desk.pictures))})
