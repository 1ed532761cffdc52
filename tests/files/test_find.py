"""Photos by their names: one walk, one table of endings."""

import os

import pytest

from chromagan.errors import DataError, ReadError
from chromagan.files.find import find_photo_files, walk_files
from chromagan.files.suffixes import SUFFIXES, WRITTEN, is_photo_name, is_training_name


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("b.png", "deep/a.PNG", "notes.txt", ".hidden.png"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_photos_are_found_at_any_depth_in_the_order_of_their_names(folder):
    assert [p.name for p in find_photo_files(folder)] == ["b.png", "a.PNG"]
    assert find_photo_files(folder / "b.png") == [folder / "b.png"]
    with pytest.raises(DataError, match="no photographs there"):
        find_photo_files(folder / "nowhere")


def test_hidden_folders_and_those_left_out_are_passed_by(folder):
    (folder / ".thumbnails").mkdir()
    for name in (".thumbnails/a.png", "deep/z.jpg"):
        (folder / name).write_bytes(b"")
    assert [p.name for p in walk_files(folder)] == ["b.png", "a.PNG", "z.jpg"]
    assert [p.name for p in walk_files(folder, leave_out=lambda inner: inner.name == "deep")] == ["b.png"]
    assert [p.name for p in walk_files(folder / ".thumbnails")] == ["a.png"]  # the folder itself may be hidden


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_to_folders_are_followed_on_request(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "far.png").write_bytes(b"")
    (folder / "link").symlink_to(elsewhere)
    assert "far.png" not in [p.name for p in walk_files(folder)]
    assert "far.png" in [p.name for p in walk_files(folder, follow_links=True)]


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_folders_linked_in_circles_and_twice_give_each_photo_once(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for name in ("far.png", "below/further.png"):
        (elsewhere / name).parent.mkdir(exist_ok=True)
        (elsewhere / name).write_bytes(b"")
    (folder / "deep" / "self").symlink_to(folder)
    (folder / "a link to deep").symlink_to(folder / "deep")  # sorts before the folder itself, which counts
    (elsewhere / "below" / "back").symlink_to(elsewhere)
    for name in ("once", "twice"):
        (folder / name).symlink_to(elsewhere)
    (folder / "part").symlink_to(elsewhere / "below")
    (folder / "to nothing").symlink_to(folder / "nowhere")
    found = [path.relative_to(folder).as_posix() for path in find_photo_files(folder)]
    assert found == ["b.png", "deep/a.PNG", "once/below/further.png", "once/far.png"]
    # A link to what the folder itself lies in.
    album = folder / "outer" / "album"
    album.mkdir(parents=True)
    for file in (album / "x.png", folder / "outer" / "beside.png"):
        file.write_bytes(b"")
    (album / "up").symlink_to(folder / "outer")
    assert [path.relative_to(album).as_posix() for path in find_photo_files(album)] == ["up/beside.png", "x.png"]


def test_a_folder_that_cannot_be_looked_into_is_no_smaller_set(folder, monkeypatch):
    walk = os.walk

    def refusing(top, onerror=None, **words):
        yield from walk(top, **words)
        onerror(PermissionError(13, "Permission denied", str(folder / "deep")))

    monkeypatch.setattr(os, "walk", refusing)
    with pytest.raises(ReadError, match=r"deep: the folder cannot be looked into \(Permission denied\)"):
        find_photo_files(folder)


def test_names():
    assert is_photo_name("a/B.JPG")
    assert is_photo_name("x.heic")
    assert not is_photo_name("x.txt")
    assert not is_photo_name("jpg")


def test_training_and_outputs_have_endings_that_can_be_read():
    assert all(is_photo_name(f"x{ending}") for ending in SUFFIXES)
    trained = {ending for ending in SUFFIXES if is_training_name(f"x{ending.upper()}")}
    assert trained == {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".jp2", ".ppm", ".avif"}
    assert set(WRITTEN.values()) == {"jpeg", "png", "tiff", "webp", "avif", "heif"}
