"""A file that was exported before networks declared what they accept loads, key by key, and answers as it did.

`exported_before.json` has the metadata of such a file, the names and shapes of its tensors, and what the network of
that time (commit a7eb51c) answered; the tensors' values are made up by `values`, the same on every machine.
"""

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from chromagan.conditioning.condition import Condition, LocalHints
from chromagan.pretrained.create import load_model

RECORD = json.loads(Path(__file__).with_name("exported_before.json").read_text())


def values(name, shape):
    """Uniform numbers that exact arithmetic gives: about what such a tensor holds after training."""
    index = np.arange(np.prod(shape, dtype=int), dtype=np.uint64)
    mixed = (index * np.uint64(2654435761) + np.uint64(zlib.crc32(name.encode()))) % np.uint64(2**32)
    even = (mixed // np.uint64(256)).astype(np.float32) / np.float32(2**23) - np.float32(1)
    if name.endswith("num_batches_tracked"):
        return torch.tensor(0)
    if len(shape) > 1:
        even *= np.sqrt(np.float32(3) / np.float32(np.prod(shape[1:])))
    elif name.endswith(("running_var", "norm.weight")):
        even = 1 + even / 8
    else:
        even /= 8
    tensor = torch.from_numpy(even.astype(np.float32).reshape(shape))
    return tensor.half() if len(shape) > 1 else tensor


def photo(rows=45, columns=70):
    """L, and hints in two places."""
    L = torch.arange(rows * columns).reshape(1, 1, rows, columns) * 37 % 101
    mask = torch.zeros(1, 1, rows, columns)
    mask[..., 10:14, 20:24] = mask[..., 30:33, 50:60] = 1
    return L.float(), Condition(LocalHints(mask * torch.tensor([40.0, -20.0]).view(1, 2, 1, 1), mask))


def some(tensor):
    """Every so many values, in the order of memory."""
    return tensor.flatten()[:: max(1, tensor.numel() // 12)][:12]


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "before.safetensors"
    tensors = {name: values(name, shape) for name, shape in RECORD["tensors"].items()}
    save_file(tensors, path, RECORD["metadata"])
    loaded, card = load_model(path)
    assert card.sha256 == RECORD["metadata"]["sha256"]
    assert (card.look.size, card.look.annealed_share) == (192, 0.5)
    return loaded.eval()


def test_names_and_shapes_are_those_of_the_file(network):
    assert {name: list(t.shape) for name, t in network.state_dict().items()} == RECORD["tensors"]
    assert network.config == json.loads(RECORD["metadata"]["config"])
    assert network.accepts == {"local"}


@torch.no_grad()
def test_answers_are_those_of_then(network):
    L, condition = photo()
    plain, hinted = network(L), network(L, condition)
    found = {"ab": plain.ab, "bin_logits": plain.bin_logits, "hinted_ab": hinted.ab}
    assert (plain.ab - hinted.ab).abs().max() > 0.5
    for name, tensor in found.items():
        expected = torch.tensor(RECORD["answers"][name])
        torch.testing.assert_close(some(tensor), expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
