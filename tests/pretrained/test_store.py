import hashlib
import json
import struct

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from chromagan.errors import WeightsError, WriteError
from chromagan.models.contract import ColorizationNetwork
from chromagan.models.look import Look
from chromagan.pretrained.card import WeightsCard
from chromagan.pretrained.store import digest, load_into, read_weights, save_weights


class Net(ColorizationNetwork):
    training_only_prefixes = ("head.",)

    def __init__(self, classes=3):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, classes) if classes else None


def save(path, net, **options):
    return save_weights(path, net, model="net", config={"classes": 3}, command="train", **options)


def test_round_trip_is_exact_in_full_precision(tmp_path):
    net = Net()
    written = save(tmp_path / "a.safetensors", net, half=False, look=Look(size=192), extra={"note": "x"})
    tensors, card = read_weights(tmp_path / "a.safetensors")
    assert card == written
    assert card.look == Look(size=192)
    assert card.extra == {"note": "x"}
    assert card.licence == "Apache-2.0"
    for name, tensor in tensors.items():
        assert torch.equal(tensor, net.state_dict()[name])


def test_class_head_is_left_out_and_the_configuration_says_so(tmp_path):
    net = Net()
    card = save(tmp_path / "a.safetensors", net)
    tensors, _ = read_weights(tmp_path / "a.safetensors")
    assert not any(name.startswith("head.") for name in tensors)
    assert card.config == {"classes": 0}
    bare = Net(classes=0)
    load_into(bare, tensors)
    torch.testing.assert_close(bare.conv.weight, net.conv.weight, atol=1e-3, rtol=1e-3)
    load_into(Net(), tensors)  # the head's absence alone is allowed


def test_half_precision_spares_statistics(tmp_path):
    net = Net()
    net.norm.running_var.fill_(1e-9)  # float16 would make it 0
    save(tmp_path / "a.safetensors", net)
    tensors, _ = read_weights(tmp_path / "a.safetensors")
    assert tensors["conv.weight"].dtype == torch.float16
    assert torch.equal(tensors["norm.running_var"], net.norm.running_var)
    assert tensors["norm.num_batches_tracked"].dtype == torch.int64


def test_digest_against_a_direct_computation():
    tensors = {"b": torch.tensor([[1.0, 2.0]]), "a": torch.tensor(3, dtype=torch.int64)}
    expected = hashlib.sha256(b"a int64 []\n" + struct.pack("<q", 3) + b"b float32 [1, 2]\n" + struct.pack("<2f", 1, 2))
    assert digest(tensors) == expected.hexdigest()


def test_values_that_half_precision_cannot_hold_are_refused(tmp_path):
    net = Net()
    net.conv.weight.data[0] = 1e6
    with pytest.raises(WeightsError, match=r"conv\.weight"):
        save(tmp_path / "a.safetensors", net)
    assert list(tmp_path.iterdir()) == []


def refusal(path):
    with pytest.raises(WeightsError) as caught:
        read_weights(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_missing_file_and_folder(tmp_path):
    assert "no weights file" in refusal(tmp_path / "none.safetensors")
    assert "folder" in refusal(tmp_path)


@pytest.mark.parametrize("legacy", [False, True])
def test_pickles_are_refused_and_not_opened(tmp_path, legacy):
    path, trace = tmp_path / "a.safetensors", tmp_path / "executed"

    class Bomb:
        def __reduce__(self):
            return open, (str(trace), "w")

    torch.save({"weights": Bomb()}, path, _use_new_zipfile_serialization=not legacy)
    assert "pickle" in refusal(path)
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"", b"short", b"a long text that is no weights file at all", b"\xff" * 64])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    assert "not a safetensors file" in refusal(path) or "damaged" in refusal(path)


@pytest.mark.parametrize("keep", [0.2, 0.6, 0.99])
def test_truncation_is_told(tmp_path, keep):
    path = tmp_path / "a.safetensors"
    save(path, Net())
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    assert "cut short" in refusal(path)


def test_a_flipped_bit_is_told(tmp_path):
    path = tmp_path / "a.safetensors"
    save(path, Net())
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    assert "sha256" in refusal(path)


def test_foreign_safetensors_are_told(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"x": torch.zeros(2)}, path, {"format": "pt"})
    assert "lacks" in refusal(path)
    metadata = {name: "x" for name in ("model", "created_by", "licence", "sha256", "command")}
    save_file({"x": torch.zeros(2)}, path, {**metadata, "config": "{"})
    assert "not JSON" in refusal(path)
    save_file({"x": torch.zeros(2)}, path, {**metadata, "config": "{}", "inference": json.dumps({"size": "big"})})
    assert "numbers" in refusal(path)
    save_file({"x": torch.zeros(2)}, path, {**metadata, "config": "{}", "look": json.dumps({"hue": 1})})
    assert "newer" in refusal(path)
    save_file({"x": torch.zeros(2)}, path, {**metadata, "config": "{}", "look": json.dumps({"size": 1})})
    assert "range" in refusal(path)


def test_unwritable_place_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="cannot be written"):
        save(tmp_path / "file" / "a.safetensors", Net())


def test_entries_that_do_not_fit_are_named():
    state = Net(classes=0).state_dict()
    with pytest.raises(WeightsError, match=r"lacks conv\.weight"):
        load_into(Net(classes=0), {name: t for name, t in state.items() if name != "conv.weight"})
    with pytest.raises(WeightsError, match="unknown entries a, b, c and 1 more"):
        load_into(Net(classes=0), {**state, **{name: torch.zeros(1) for name in "abcd"}})
    with pytest.raises(WeightsError, match=r"conv\.bias \(5,\) instead of \(4,\)"):
        load_into(Net(classes=0), {**state, "conv.bias": torch.zeros(5)})


@pytest.mark.parametrize("text", ['{"size": NaN}', '{"size": Infinity}', '{"saturation": 1' + "0" * 400 + "}",
                                  '{"a":' * 100_000, '{"size": ' + "9" * 5000 + "}"])  # fmt: skip
def test_a_look_beyond_all_numbers_is_a_malformed_one(text):
    names = ("model", "created_by", "licence", "sha256", "command")
    for entry in ("look", "inference"):
        with pytest.raises(ValueError, match="its look|its metadata entry"):
            WeightsCard.from_metadata({**dict.fromkeys(names, "x"), "config": "{}", entry: text})


@pytest.mark.parametrize(("text", "expected"), [
    ("train --data /home/me/photos/train b/c --out /runs/1", "train --data train b/c --out 1"),
    ("""train --val "/home/Anna Smith/x y" --init 'C:\\Users\\me\\a.tar'""", """train --val "x y" --init 'a.tar'"""),
    ('{"data": ["/home/me/train", "old/x"], "from": "https://x.org/y"}',
     '{"data": ["train", "old/x"], "from": "https://x.org/y"}'),
    ("Apache-2.0", "Apache-2.0"),
])  # fmt: skip
def test_weights_do_not_tell_the_folders_of_a_machine(text, expected):
    card = WeightsCard("unet", {}, "x", "x", "abc", text, extra={"training": text})
    metadata = card.to_metadata()
    assert metadata["command"] == metadata["training"] == expected
