"""Photos found, filtered, cropped, and a stream that goes on where it was."""

import io
import os
import shutil
import tarfile
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from chromagan.data.augmentation import cut_square, draw_square
from chromagan.data.loader import BatchStream
from chromagan.data.near_gray import mean_chroma
from chromagan.data.photos import find_photos, survey
from chromagan.data.training_photos import TrainingPhotos
from chromagan.errors import DataError


def picture(seed, side=40, gray=False):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (4, 4, 1 if gray else 3), dtype=np.uint8)
    return cv2.resize(np.broadcast_to(small, (4, 4, 3)).copy(), (side + 8, side), interpolation=cv2.INTER_CUBIC)


def encoded(image, suffix=".png"):
    return cv2.imencode(suffix, image)[1].tobytes()


@pytest.fixture
def folder(tmp_path):
    for i in range(6):
        place = tmp_path / f"class{i % 2}" / "deep"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{i}.png").write_bytes(encoded(picture(i)))
    (tmp_path / "gray.png").write_bytes(encoded(picture(9, gray=True)))
    (tmp_path / "broken.jpg").write_bytes(b"not a photo")
    (tmp_path / "notes.md").write_text("not listed")
    return tmp_path


def test_folder_shard_list_and_glob_list_the_same_photos(folder, tmp_path):
    found = find_photos([str(folder)])
    assert len(found) == 8
    shard = tmp_path / "shards"
    shard.mkdir()
    with tarfile.open(shard / "train-000.tar", "w") as tar:
        for source in found:
            data = source.read()
            member = tarfile.TarInfo(source.name.replace("/", "_"))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    from_shard = find_photos([str(shard)])
    assert sorted(s.read() for s in from_shard) == sorted(s.read() for s in found)
    listing = tmp_path / "list.txt"
    listing.write_text("\n".join(s.path for s in found))
    assert [s.read() for s in find_photos([str(listing)])] == [s.read() for s in found]
    assert len(find_photos([str(folder / "class*" / "deep" / "*.png")])) == 6


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match="no photographs"):
        find_photos([str(tmp_path)])
    with pytest.raises(DataError, match="not found"):
        find_photos([str(tmp_path / "absent")])


def test_damaged_shard(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"x" * 2000)
    with pytest.raises(DataError, match="a.tar"):
        find_photos([str(tmp_path / "a.tar")])


def test_mean_chroma_is_that_of_scikit_image():
    image = picture(3, side=60)
    lab = rgb2lab(image)
    assert mean_chroma(image) == pytest.approx(np.hypot(lab[..., 1], lab[..., 2]).mean(), rel=0.01)
    assert mean_chroma(picture(3, gray=True)) < 0.1


def test_stream_counts_what_it_leaves_out(folder):
    photos = TrainingPhotos(find_photos([str(folder)]), 16, 0.6, 4.0, seed=0)
    stream = BatchStream(photos, 6)
    batch = next(iter(stream))
    assert batch.rgb.shape == (6, 3, 16, 16)
    assert batch.rgb.dtype == torch.uint8
    stream = BatchStream(photos, 12)
    next(iter(stream))
    assert stream.state.near_gray >= 1
    assert stream.state.unreadable >= 1


def test_stream_goes_on_exactly_and_workers_do_not_change_it(folder):
    def photos():
        return TrainingPhotos(find_photos([str(folder)]), 16, 0.6, 4.0, seed=5)

    stream = BatchStream(photos(), 4)
    iterator = iter(stream)
    batches, states = [], []
    for _ in range(5):
        batches.append(next(iterator))
        states.append(replace(stream.state))
    for cut in range(1, 5):
        resumed = next(iter(BatchStream(photos(), 4, state=states[cut - 1])))
        assert torch.equal(resumed.rgb, batches[cut].rgb)
    parallel = iter(BatchStream(photos(), 4, workers=2))
    for batch in batches:
        assert torch.equal(next(parallel).rgb, batch.rgb)


def test_no_usable_photo_is_an_error(tmp_path):
    (tmp_path / "gray.png").write_bytes(encoded(picture(9, gray=True)))
    photos = TrainingPhotos(find_photos([str(tmp_path)]), 16, 0.6, 4.0, seed=0)
    with pytest.raises(DataError, match="no usable photograph"):
        next(iter(BatchStream(photos, 2)))


def test_crops_keep_the_colours():
    flat = np.full((30, 50, 3), (10, 120, 200), np.uint8)
    for seed in range(20):
        square = cut_square(flat, draw_square(30, 50, 0.5, np.random.default_rng(seed)), 24)
        assert square.shape == (24, 24, 3)
        assert (square == flat[0, 0]).all()


def test_channels_stay_in_rgb_order(tmp_path):
    red = np.zeros((40, 40, 3), np.uint8)
    red[..., 2] = 255  # OpenCV writes BGR
    (tmp_path / "red.png").write_bytes(encoded(red))
    photos = TrainingPhotos(find_photos([str(tmp_path)]), 16, 0.6, 4.0, seed=0)
    assert photos[0][0].float().mean((1, 2)).tolist() == [255.0, 0.0, 0.0]


def test_two_usable_photos_of_six_come_again_and_again(tmp_path):
    """Between two of them more photos can pass than there are: the last of one epoch and the first of the next."""
    for i in range(6):
        (tmp_path / f"{i}.png").write_bytes(encoded(picture(i, gray=i > 1)) if i != 5 else b"broken")
    for seed in range(4):
        for world in (1, 2):
            photos = TrainingPhotos(find_photos([str(tmp_path)]), 16, 0.6, 4.0, seed=seed)
            batches = iter(BatchStream(photos, 2, rank=world - 1, world=world))
            assert all(len(next(batches).rgb) == 2 for _ in range(30))


def test_a_folder_that_is_linked_into_itself_gives_each_photo_once(folder):
    before = [photo.name for photo in find_photos([str(folder)])]
    (folder / "class0" / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "other").symlink_to(folder / "class1", target_is_directory=True)
    assert sorted(os.path.realpath(photo.name) for photo in find_photos([str(folder)])) == sorted(before)


def shard_of(path, count=3):
    with tarfile.open(path, "w") as tar:
        for i in range(count):
            data = encoded(picture(i))
            member = tarfile.TarInfo(f"{i}.png")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path.read_bytes()


def test_a_shard_that_is_cut_anywhere_is_an_error(tmp_path):
    whole = shard_of(tmp_path / "whole.tar")
    with tarfile.open(tmp_path / "whole.tar") as tar:
        headers = [member.offset for member in tar][1:]
        end = tar.offset
    assert len(find_photos([str(tmp_path / "whole.tar")])) == 3
    cuts = [*headers, *(header + 100 for header in headers), headers[0] + 700, end, end + 100]
    for cut in cuts:
        (tmp_path / "cut.tar").write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"cut.tar: not a readable uncompressed tar shard"):
            find_photos([str(tmp_path / "cut.tar")])
    damaged = bytearray(whole)
    damaged[headers[1] : headers[1] + 64] = b"\xa5" * 64  # a header in the middle
    (tmp_path / "damaged.tar").write_bytes(damaged)
    with pytest.raises(DataError, match="damaged.tar"):
        find_photos([str(tmp_path / "damaged.tar")])


def test_what_is_found_and_what_is_passed_over_is_said(folder):
    for name in ("a.dng", "b.DNG", "c.psd"):
        (folder / name).write_bytes(b"")
    told = survey([str(folder)]).text()
    assert told.startswith("8 photographs found; passed over: 2 .dng, ")
    assert {"1 .md", "1 .psd"} <= set(told.split(": ")[1].split(", "))


def test_the_digest_is_that_of_the_names_below_the_place(folder, tmp_path_factory):
    moved = tmp_path_factory.mktemp("moved") / "deep"
    shutil.copytree(folder, moved)
    assert survey([str(moved)]).digest == survey([str(folder)]).digest
    (moved / "gray.png").rename(moved / "gray2.png")
    assert survey([str(moved)]).digest != survey([str(folder)]).digest
