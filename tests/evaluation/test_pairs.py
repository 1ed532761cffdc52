"""Which picture belongs to which truth, and what is said where that is not clear."""

import hashlib
import os
import sys
import unicodedata

import cv2
import numpy as np
import pytest

from chromagan.errors import DataError, UsageError
from chromagan.evaluation.pairs import check_sizes, list_digest, match_pairs, parse_methods, picture_size


def write(path, height=6, width=8):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((height, width, 3), 99, np.uint8))


@pytest.fixture
def truth(tmp_path):
    for name in ("a/one.jpg", "a/two.png", "b/three.bmp"):
        write(tmp_path / "truth" / name)
    return tmp_path / "truth"


def test_names_match_across_extensions(truth, tmp_path):
    for name in ("a/one.png", "a/two.jpg", "b/three.png"):
        write(tmp_path / "made" / name)
    (tmp_path / "made" / "notes.txt").write_text("not a picture")
    pairs = match_pairs(truth, {"m": tmp_path / "made"})
    assert pairs.images == ["a/one.jpg", "a/two.png", "b/three.bmp"]
    assert [str(p.relative_to(tmp_path)) for p in pairs.predictions["m"]] == [
        "made/a/one.png", "made/a/two.jpg", "made/b/three.png",
    ]  # fmt: skip
    check_sizes(pairs)


def test_a_flat_folder_matches_by_stem(truth, tmp_path):
    for name in ("three.png", "one.png", "two.png"):
        write(tmp_path / "flat" / name)
    pairs = match_pairs(truth, {"flat": tmp_path / "flat"})
    assert [p.name for p in pairs.predictions["flat"]] == ["one.png", "two.png", "three.png"]


def test_equal_stems_in_several_folders_are_never_guessed(truth, tmp_path):
    write(truth / "b" / "one.jpg")
    for name in ("three.png", "one.png", "two.png"):
        write(tmp_path / "flat" / name)
    with pytest.raises(DataError, match=r"flat.*4 missing \(a/one.jpg, a/two.png, b/one.jpg, b/three.bmp\)"):
        match_pairs(truth, {"flat": tmp_path / "flat"})


def test_everything_wrong_is_listed_at_once(truth, tmp_path):
    for name in ("a/one.png", "a/one.jpg", "a/two.png", "c/four.png"):
        write(tmp_path / "made" / name)
    write(tmp_path / "other" / "a" / "one.png")
    with pytest.raises(DataError) as error:
        match_pairs(truth, {"m": tmp_path / "made", "n": tmp_path / "other"})
    message = str(error.value)
    assert "\n" not in message
    for part in ("1 doubled (a/one.jpg and a/one.png)", "1 missing (b/three.bmp)", "1 extra (c/four.png)", "n (",
                 "2 missing (a/two.png, b/three.bmp)"):  # fmt: skip
        assert part in message


def test_long_lists_are_bounded(tmp_path):
    for number in range(25):
        write(tmp_path / "truth" / f"{number:02d}.png")
    write(tmp_path / "made" / "00.png")
    with pytest.raises(DataError, match=r"24 missing \(01.png, .*10.png and 14 more\)"):
        match_pairs(tmp_path / "truth", {"m": tmp_path / "made"})


def test_doubled_truths_are_refused(truth, tmp_path):
    write(truth / "a" / "one.png")
    with pytest.raises(DataError, match=r"1 doubled \(a/one.jpg and a/one.png\)"):
        match_pairs(truth, {})


def test_a_protocol_takes_its_images_out_of_more(truth, tmp_path):
    for name in ("one", "two", "three"):
        write(tmp_path / "all" / f"{name}.png")
    pairs = match_pairs(truth, {"m": tmp_path / "all"}, lambda names: [n for n in names if n.startswith("a/")], 1)
    assert pairs.images == ["a/one.jpg"]
    with pytest.raises(DataError, match="belongs to the protocol"):
        match_pairs(truth, {}, lambda names: [])


def test_sizes_are_compared_before_anything_is_measured(truth, tmp_path):
    for name in ("one", "two", "three"):
        write(tmp_path / "m" / f"{name}.png", 6, 8 if name == "two" else 9)
    pairs = match_pairs(truth, {"m": tmp_path / "m"})
    with pytest.raises(DataError, match=r"m: 2 of another size \(a/one.jpg 6 x 9 instead of 6 x 8, b/three.bmp"):
        check_sizes(pairs)


def test_a_turned_photo_has_the_size_that_it_is_shown_with(tmp_path):
    from PIL import Image

    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (20, 10)).save(tmp_path / "turned.jpg", exif=exif)
    assert picture_size(tmp_path / "turned.jpg") == (20, 10)


def test_names_of_methods(tmp_path):
    for name in ("plain", "x=y", "other"):
        (tmp_path / name).mkdir()
    found = parse_methods([str(tmp_path / "plain"), f"mine={tmp_path / 'other'}", str(tmp_path / "x=y")])
    assert list(found) == ["plain", "mine", "x=y"]
    for words, message in (
        ([f"truth={tmp_path / 'plain'}"], "taken by our own rows"),
        ([f"={tmp_path / 'plain'}"], "is empty"),
        ([f"a={tmp_path / 'plain'}", f"a={tmp_path / 'other'}"], "two folders"),
        (["a=nowhere"], "nowhere is not a folder"),
        (["a="], "nothing is not a folder"),
    ):
        with pytest.raises(UsageError, match=message):
            parse_methods(words)
    assert list(parse_methods([f"truth={tmp_path / 'plain'}"], "--colorized", ("real",))) == ["truth"]
    with pytest.raises(UsageError, match="^--colorized real=.*taken"):
        parse_methods([f"real={tmp_path / 'plain'}"], "--colorized", ("real",))


def test_list_digest_depends_on_the_names_alone():
    names = ["b.png", "a.png"]
    assert list_digest(names) == list_digest(names[::-1]) != list_digest(names[:1])


def test_accents_written_in_either_way_are_one_name(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "Café/déjà") for form in ("NFC", "NFD"))
    assert composed != decomposed
    write(tmp_path / "truth" / f"{composed}.png")
    write(tmp_path / "made" / f"{decomposed}.png")
    write(tmp_path / "flat" / f"{decomposed.rpartition('/')[2]}.png")
    methods = {name: tmp_path / name for name in ("made", "flat")}
    pairs = match_pairs(tmp_path / "truth", methods)
    assert pairs.images == [f"{composed}.png"]
    assert [file.is_file() for files in pairs.predictions.values() for file in files] == [True, True]
    write(tmp_path / "made" / f"{composed}.jpg")
    with pytest.raises(DataError, match="1 doubled"):
        match_pairs(tmp_path / "truth", methods)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_not_utf8_match(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    for folder in ("truth", "made"):
        write(tmp_path / folder / "x.png")
        (tmp_path / folder / "x.png").rename(tmp_path / folder / name)
    pairs = match_pairs(tmp_path / "truth", {"made": tmp_path / "made"})
    assert pairs.images == [name]
    assert list_digest(pairs.images) == hashlib.sha256(b"caf\xe9.png").hexdigest()


def test_photos_of_several_folders(tmp_path):
    for name in ("first/a.png", "first/deep/b.png", "second/a.png", "other/second/c.png"):
        write(tmp_path / name)
    for name in ("first/a.png", "first/deep/b.jpg", "second/a.png", "second 2/c.png"):
        write(tmp_path / "made" / name)
    places = [tmp_path / "first", tmp_path / "second", tmp_path / "other" / "second"]
    pairs = match_pairs(places, {"made": tmp_path / "made"})
    assert pairs.images == ["first/a.png", "first/deep/b.png", "second 2/c.png", "second/a.png"]
    # Each photo once: a folder given twice, by another way, or again as a part of another.
    again = [*places, tmp_path / "first" / ".." / "first", tmp_path / "first" / "deep"]
    assert match_pairs(again, {"made": tmp_path / "made"}) == pairs
    # Stems match where they are unique.
    for name in ("a.png", "b.png"):
        write(tmp_path / "flat" / name)
    assert len(match_pairs([tmp_path / "first"] * 2, {"flat": tmp_path / "flat"}).images) == 2


def test_photos_that_are_not_selected_are_told(truth):
    pairs = match_pairs(truth, {}, lambda names: [name for name in names if name.startswith("a/")], limit=1)
    assert (pairs.images, pairs.left_out) == (["a/one.jpg"], ["b/three.bmp"])
