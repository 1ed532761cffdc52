import pickle
from dataclasses import fields

import cv2
import numpy as np
import pytest
from PIL import Image

from chromagan.errors import DataError, UsageError
from chromagan.evaluation.protocols import list_protocols, protocol
from chromagan.models.trunk import import_timm

import_timm()  # makes torchvision importable where its compiled operators do not match the installed torch

from torchvision import transforms  # noqa: E402


def picture(height, width, seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def imagenet(numbers, suffix=".JPEG"):
    return [f"ILSVRC2012_val_{number:08d}{suffix}" for number in numbers]


FULL = {
    "imagenet-val5k": imagenet(range(1, 5001)),
    "imagenet-val50k": imagenet(range(1, 50_001)),
    "coco-stuff-5k": [f"{7 * n:012d}.jpg" for n in range(5000)],
    "ade20k-2k": [f"ADE_val_{n:08d}.jpg" for n in range(1, 2001)],
    "chromagan-2020": imagenet(range(49_000, 50_000)),
    "folder": ["a/1.5.png", "b/1.5.png", "holiday"],
}


def test_every_protocol_states_its_choices():
    assert set(list_protocols()) == {*FULL, "imagenet-ctest10k", "film"}
    for name in list_protocols():
        found = protocol(name)
        for field in ("description", "source", "crop", "resampling", "reference", "metrics"):
            assert getattr(found, field), (name, field)
        assert protocol(found.label) is found
        assert pickle.loads(pickle.dumps(found)) == found  # it goes to other processes
        assert len({field.name for field in fields(found)}) > 10


@pytest.mark.parametrize("name", FULL)
def test_the_right_images_pass_in_any_order_folder_and_format(name):
    names = FULL[name]
    found = protocol(name)
    found.check(names)
    found.check([f"some/folder/{n.rpartition('.')[0]}.png" for n in reversed(names)])
    assert found.select(names) == names


def test_images_sorted_by_class_pass_too():
    found = protocol("imagenet-val5k")
    found.check([f"n01440764/{n}" for n in FULL["imagenet-val5k"]])
    found.check([n.replace(".JPEG", "_n01440764.JPEG") for n in FULL["imagenet-val5k"]])


@pytest.mark.parametrize(
    ("name", "names", "message"),
    [
        ("imagenet-val5k", imagenet(range(1, 5000)), r"lacks 1 of the images 1 to 5,000, 5000 first"),
        ("imagenet-val5k", imagenet(range(1, 50_001)), r"beyond 1 to 5,000; take away the 45000"),
        ("imagenet-val5k", ["dog.png", "cat.png"], r"other names than ILSVRC2012_val_00000001: dog and 1 more"),
        ("imagenet-val5k", imagenet(range(1, 5001)) + ["x/ILSVRC2012_val_00000007.png"], r"00000007 twice"),
        ("imagenet-val5k", imagenet([1, 1], "_n01440764.JPEG"), r"twice"),
        ("coco-stuff-5k", FULL["coco-stuff-5k"][:4999], r"4,999 images, not 5,000"),
        ("coco-stuff-5k", FULL["imagenet-val5k"], r"other names than 000000000139"),
        ("ade20k-2k", [n.replace("val", "train") for n in FULL["ade20k-2k"]], r"other names than ADE_val_00000001"),
        ("chromagan-2020", imagenet(range(1, 1000)), r"999 images, not 1,000"),
        ("folder", [], "no images"),
    ],
)
def test_other_images_are_refused_in_one_line(name, names, message):
    with pytest.raises(DataError, match=message) as caught:
        protocol(name).check(names)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_val5k_out_of_all():
    every = FULL["imagenet-val50k"]
    assert protocol("imagenet-val5k").select(["readme.txt", *every]) == every[:5000]


def test_ctest10k_asks_for_its_list_and_holds_to_it(tmp_path):
    plain = protocol("imagenet-ctest10k")
    with pytest.raises(UsageError, match=r"10,000 images of a published list.*--list FILE"):
        plain.check(imagenet(range(10_000)))
    numbers = list(range(5, 50_000, 5))[:9_999] + [1]
    file = tmp_path / "ctest10k.txt"
    file.write_text("\n".join(f"/data/imagenet/val/{n} 17" for n in imagenet(numbers)) + "\n")
    listed = plain.with_list(file)
    listed.check(imagenet(reversed(numbers), ".png"))
    assert listed.select(imagenet([1, 2, 5])) == imagenet([1, 5])
    with pytest.raises(DataError, match=r"00000002 not in the list"):
        listed.check(imagenet([*numbers[:-1], 2]))
    with pytest.raises(DataError, match=r"9,999 images, not 10,000"):
        listed.check(imagenet(numbers[:-1]))
    file.write_text("\n".join(imagenet(numbers[:50])))
    with pytest.raises(DataError, match=r"ctest10k\.txt: the list has 50 images, not 10,000"):
        plain.with_list(file)
    with pytest.raises(DataError, match="cannot be read"):
        plain.with_list(tmp_path / "absent.txt")
    with pytest.raises(UsageError, match="takes no --list"):
        protocol("imagenet-val5k").with_list(file)


def test_unknown_protocols_and_versions():
    with pytest.raises(UsageError, match="imagenet-val5k, imagenet-ctest10k"):
        protocol("imagenet")
    with pytest.raises(UsageError, match="version 1 here, not 2"):
        protocol("imagenet-val5k/2")


@pytest.mark.parametrize(("height", "width"), [(375, 500), (500, 333), (301, 300), (40, 90), (256, 256), (1, 1)])
@pytest.mark.parametrize("name", ["imagenet-val5k", "imagenet-ctest10k"])
def test_the_middle_square_is_torchvisions(name, height, width):
    photo = picture(height, width)
    steps = transforms.Compose([transforms.CenterCrop(min(height, width)), transforms.Resize(256)])
    np.testing.assert_array_equal(protocol(name).prepare(photo), np.asarray(steps(Image.fromarray(photo))))


@pytest.mark.parametrize("name", ["imagenet-val50k", "coco-stuff-5k", "ade20k-2k"])
def test_the_squash_takes_points_and_does_not_average(name):
    # Halving by bilinear interpolation between pixel centres takes the mean of 2 x 2; at a quarter, the middle 2 x 2.
    photo = np.random.default_rng(0).integers(0, 256, (1024, 512, 3), dtype=np.uint8)
    middle = photo.reshape(256, 4, 256, 2, 3)[:, 1:3].astype(float).mean(axis=(1, 3))
    assert np.abs(protocol(name).prepare(photo) - middle).max() <= 0.5
    small = picture(256, 256)
    np.testing.assert_array_equal(protocol(name).prepare(small), small)


def test_the_release_of_2020():
    photo = picture(300, 400)
    found = protocol("chromagan-2020").prepare(photo)
    bgr = cv2.resize(cv2.cvtColor(photo, cv2.COLOR_RGB2BGR), (224, 224))
    lab = cv2.cvtColor(bgr, cv2.COLOR_BGR2LAB)
    np.testing.assert_array_equal(found, cv2.cvtColor(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR), cv2.COLOR_BGR2RGB))
    # What it costs: a step of 8-bit Lab, and little more the second time.
    squashed = bgr[..., ::-1].astype(int)
    assert 0 < np.abs(found - squashed).mean() < 1.5
    assert np.abs(protocol("chromagan-2020").prepare(found).astype(int) - found).mean() < 1.5


def test_folder_leaves_pictures_alone():
    photo = picture(5, 3)
    assert protocol("folder").prepare(photo) is photo


@pytest.mark.parametrize("name", list_protocols())
def test_what_is_prepared(name):
    found = protocol(name)
    for photo in (picture(90, 70), picture(1, 1)):
        prepared = found.prepare(photo)
        assert prepared.dtype == np.uint8
        assert prepared.shape == ((*found.size, 3) if found.size else photo.shape)
    for wrong in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ValueError, match="a picture is"):
            found.prepare(wrong)
