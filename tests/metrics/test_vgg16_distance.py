"""The distance in VGG16's features against plain loops over layers and pixels, with random weights in a file."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from chromagan.errors import WeightsError
from chromagan.metrics.vgg16_distance import NAME, Vgg16Distance

PLAN = [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    random, tensors, index, channels = torch.Generator().manual_seed(0), {}, 0, 3
    for block, (width, depth) in enumerate(PLAN):
        index += block > 0
        for _ in range(depth):
            kernel = torch.randn(width, channels, 3, 3, generator=random) * (2 / (9 * channels)) ** 0.5
            tensors[f"features.{index}.weight"] = kernel.half()
            tensors[f"features.{index}.bias"] = torch.randn(width, generator=random) / 10
            channels, index = width, index + 2
    path = tmp_path_factory.mktemp("vgg") / "vgg16.safetensors"
    save_file(tensors, path)
    return path, {name: tensor.float() for name, tensor in tensors.items()}


def pictures(seed):
    return torch.randint(0, 256, (2, 3, 32, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def reference(one, other, tensors):
    """One pair, block by block, the cosine of each pixel's vectors: |u - v|^2 = 2 - 2 cos."""
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    maps = [
        torch.from_numpy(((p.permute(1, 2, 0).numpy() / 255 - mean) / std).transpose(2, 0, 1)[None]).float()
        for p in (one, other)
    ]
    distances, index = [], 0
    for block, (_, depth) in enumerate(PLAN):
        if block:
            maps, index = [F.max_pool2d(m, 2) for m in maps], index + 1
        for _ in range(depth):
            kernel, bias = tensors[f"features.{index}.weight"], tensors[f"features.{index}.bias"]
            maps, index = [F.conv2d(m, kernel, bias, padding=1).relu() for m in maps], index + 2
        distances.append((2 - 2 * F.cosine_similarity(*maps, dim=1)).mean().item())
    return float(np.mean(distances))


def test_it_is_the_mean_over_blocks_of_the_distance_of_unit_vectors(weights):
    path, tensors = weights
    distance, (a, b) = Vgg16Distance(path), (pictures(0), pictures(1))
    found = distance(a, b)
    expected = [reference(x, y, tensors) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-3)
    assert min(expected) > 0.01
    assert distance(a, a).abs().max() < 1e-6
    torch.testing.assert_close(distance(b, a), found)
    assert NAME == "vgg16_oxford_distance"


def test_files_of_other_networks_are_refused(weights, tmp_path):
    save_file({"features.0.weight": torch.zeros(64, 1, 3, 3)}, tmp_path / "other.safetensors")
    (tmp_path / "no.safetensors").write_bytes(b"nothing")
    for name in ("other", "no", "absent"):
        with pytest.raises(WeightsError, match=name) as caught:
            Vgg16Distance(tmp_path / f"{name}.safetensors")
        assert "\n" not in str(caught.value)
