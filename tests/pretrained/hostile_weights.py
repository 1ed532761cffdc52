"""Weights files that a careless or hostile stranger might hand over, each made from its name and one seed."""

import io
import json
import os
import pickle
import socket
import struct
import tarfile
import zipfile

import h5py
import numpy as np
import torch

from chromagan.models.contract import digest
from chromagan.models.registry import build_network
from chromagan.pretrained.keras_h5 import SIGNATURE

HUGE = 10**9
# Options that are of no type or range: model, its option, values as JSON.
OPTIONS = [
    ("unet", "width", ['"2"', "[2]", '{"a": 1}', "true", "2.5", "-1", "0", str(HUGE), "1" + "0" * 400, "NaN", "4097"]),
    ("unet", "backbone", ["7", "null", "[]", '"no_such_net"', '"../../etc/passwd"', f'"{"a" * 90_000}"', '"\\u0000"']),
    ("chromagan", "width", [str(HUGE), "null", '"96"', "-3"]),
    (
        "chromagan",
        "backbone",
        ["null", "[null]", '["vgg16", "vgg16"]', "[]", "{}", "3", '[["vgg16"]]', '"vit_giant_no"'],
    ),
    ("chromagan", "classes", ["-1", '"10"', str(HUGE), "1e3", "null"]),
    ("chromagan", "semantic", ['"no"', "0", "null"]),
    ("chromagan", "folded", ['"yes"', "[]"]),
    ("chromagan", "half_size", ['"vgg19"', '["resnet18"]', "[7]", "null"]),
    ("eccv16", "decode", ['"mode"', "null", "1"]),
    ("eccv16", "temperature", ["0", "-1", "NaN", '"hot"', "1e-30"]),
    (
        "mean",
        "ab",
        ["[1]", '"ab"', "[NaN, 0]", "[1e999, 0]", "[[1], [2]]", "7", '["a", "b"]', "[1" + "0" * 400 + ", 0]"],
    ),
    ("siggraph17", "global_hints", ["2", '"true"']),
    ("iizuka", "classes", [str(10**12), "-5"]),
    ("chromagan_paper", "classes", ["22000", "22001", "true"]),
    ("koalarization", "embedding", ['"false"']),
    ("cunet", "width", ["4096", "4.0"]),
    ("unet", "self", ["1"]),
    ("unet", "cls", ["1"]),
    ("unet", "name", ["1"]),
    ("unet", "no_such_option", ["1"]),
]
OF_0_1 = {
    "giant_width": '{"backbone": "vgg16", "classes": 0, "semantic": true, "width": 1000000000}',
    "null_backbone": '{"backbone": null, "classes": 0, "semantic": true, "width": 256}',
}
CONFIGS = {
    "cut": '{"width": 2',
    "list": "[2]",
    "number": "2",
    "text": '"width"',
    "null": "null",
    "empty": "",
    "long": " " * 10**6,
    "deep": '{"width": ' + "[" * 50_000 + "]" * 50_000 + "}",
    "twice": '{"width": 2, "width": -2}',
    "digits": '{"width": ' + "9" * 5000 + "}",
}
LOOKS = {
    "nan": '{"size": NaN}',
    "negative": '{"saturation": -1}',
    "nothing": '{"size": 0}',
    "huge": '{"size": 1e300}',
    "text": '{"size": "256"}',
    "unknown": '{"hue": 3}',
    "deep": '{"size": ' + "[" * 50_000,
    "list": "[]",
    "share": '{"annealed_share": 2}',
    "calm": '{"calm": 1.5}',
    "infinite": '{"typical_chroma": Infinity}',
    "true": '{"size": true}',
}
MODELS = {
    "none": "",
    "unknown": "no_such_net",
    "lines": "unet\nchromagan: done",
    "long": "u" * 10_000,
    "step": "chroma_upsampler",
}


def good():
    """Tensors of a network, in order."""
    torch.manual_seed(0)
    return {name: tensor.numpy() for name, tensor in build_network("unet", width=1).state_dict().items()}


def metadata(tensors, model="unet", config='{"width": 1, "backbone": ""}', **changes):
    """A card that fits the tensors, but for the changes; an entry of None is left out."""
    sha256 = digest({name: torch.from_numpy(np.array(one)) for name, one in tensors.items()})
    entries = {"model": model, "config": config, "created_by": "x", "licence": "x", "command": "x", "sha256": sha256}
    return {name: text for name, text in {**entries, **changes}.items() if text is not None}


TYPES = {"float32": "F32", "int64": "I64", "bool": "BOOL", "float16": "F16", "complex64": "C64", "uint8": "U8"}


def safetensors(tensors, card, **lies):
    """The bytes of a file; `lies` replace what the header says of a tensor."""
    header, data = {"__metadata__": card}, b""
    for name, tensor in tensors.items():
        raw = np.ascontiguousarray(tensor).tobytes()
        said = {
            "dtype": TYPES[str(tensor.dtype)],
            "shape": list(tensor.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        header[name] = {**said, **lies.get(name.replace(".", "_"), {})}
        data += raw
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def made(folder, seed=0):
    """Write all files into a folder.

    Returns:
        Their paths.
    """
    rng, fine = np.random.default_rng(seed), good()
    one = {"a": np.ones(1, np.float32)}
    files = {}
    # Options, cards, looks.
    for model, option, values in OPTIONS:
        for number, value in enumerate(values):
            config = f'{{"{option}": {value}}}'
            files[f"{model}_{option}_{number}"] = safetensors(one, metadata(one, model, config))
    for name, text in OF_0_1.items():
        files[name] = safetensors(one, metadata(one, "chromagan", text))
    files |= {f"config_{name}": safetensors(fine, metadata(fine, config=text)) for name, text in CONFIGS.items()}
    files |= {f"look_{name}": safetensors(fine, metadata(fine, look=text)) for name, text in LOOKS.items()}
    files |= {f"inference_{name}": safetensors(fine, metadata(fine, inference=LOOKS[name])) for name in ("nan", "deep")}
    files |= {f"model_{name}": safetensors(fine, metadata(fine, model=text)) for name, text in MODELS.items()}
    for name in metadata(one):
        files[f"without_{name}"] = safetensors(fine, metadata(fine, **{name: None}))
    # Tensors: missing, extra, of other shapes and types, without numbers.
    name = "to_ab.weight"
    bent = {
        "missing": {key: value for key, value in fine.items() if key != name},
        "extra": {**fine, "extra": np.ones(3, np.float32)},
        "turned": {**fine, name: fine[name].transpose(1, 0, 2, 3)},
        "scalar": {**fine, name: np.float32(1).reshape(())},
        "nothing": {**fine, name: np.zeros((0, 1, 1, 1), np.float32)},
        "whole": {**fine, name: fine[name].astype(np.int64)},
        "bool": {**fine, name: fine[name] > 0},
        "bytes": {**fine, name: fine[name].astype(np.uint8)},
        "nan": {**fine, name: fine[name] * np.nan},
        "infinite": {**fine, name: fine[name] + np.inf},
        "zeros": {key: value * 0 for key, value in fine.items()},
        "none": {},
        "many": {f"t{number}": np.ones(1, np.float32) for number in range(20_000)},
        "long_name": {**fine, "n" * 100_000: np.ones(1, np.float32)},
    }
    files |= {f"tensors_{kind}": safetensors(those, metadata(those)) for kind, those in bent.items()}
    whole = safetensors(fine, metadata(fine))
    files["digest_empty"] = safetensors(fine, metadata(fine, sha256=""))
    files["digest_other"] = safetensors(fine, metadata(fine, sha256="0" * 64))
    for number in range(4):
        flipped = bytearray(whole)
        flipped[-1 - int(rng.integers(1000))] ^= 1 << int(rng.integers(8))
        files[f"flipped_{number}"] = bytes(flipped)
    # Headers that lie, and files that end early.
    lies = {
        "shape_huge": {"shape": [HUGE, HUGE, HUGE, HUGE]},
        "shape_negative": {"shape": [-1, 1, 1, 1]},
        "shape_text": {"shape": "abc"},
        "type_unknown": {"dtype": "F1"},
        "type_wide": {"dtype": "F64"},
        "offsets_back": {"data_offsets": [8, 0]},
        "offsets_far": {"data_offsets": [0, HUGE]},
        "offsets_none": {"data_offsets": []},
        "offsets_same": {"data_offsets": [0, 8]},
    }
    files |= {f"header_{kind}": safetensors(fine, metadata(fine), to_ab_weight=lie) for kind, lie in lies.items()}
    for number in (0, 1, 10**6, 2**40, 2**63, 2**64 - 1):
        files[f"length_{number}"] = struct.pack("<Q", number) + whole[8:]
    files |= {f"cut_{share}": whole[: int(len(whole) * share)] for share in (0.001, 0.1, 0.5, 0.9, 0.999)}
    for number, text in enumerate(
        (b"", b"{", b"[]", b"{}", b"null", b"{" * 10_000, b"\xef\xbb\xbf{}", b'{"a": {}}', b'{"__metadata__": 3}')
    ):
        files[f"only_{number}"] = struct.pack("<Q", len(text)) + text
    files |= {
        "empty": b"",
        "seven": b"\0" * 7,
        "zeros": b"\0" * 5000,
        "noise": rng.bytes(5000),
        "text": b"weights\n" * 100,
        "more": whole + b"x",
    }
    files = {f"{name}.safetensors": content for name, content in files.items()} | pickles(rng)
    files |= {"hdf5_signature.h5": SIGNATURE, "hdf5_noise.h5": SIGNATURE + rng.bytes(3000)}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files] + keras(folder) + no_files(folder)


class Code:
    """Makes a file called `executed` when it is unpickled."""

    def __reduce__(self):
        return open, ("executed", "w")


class Bytes:
    """Ten billion of them when it is unpickled."""

    def __reduce__(self):
        return bytearray, (10**10,)


def saved(content, **options):
    """What `torch.save` writes."""
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def zipped(entries, method=zipfile.ZIP_STORED):
    """An archive of bytes by name."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def pickles(rng):
    """Files of pickle, zip and tar, by name."""
    with torch.device("meta"):
        shapes = {key: one.shape for key, one in build_network("eccv16", decode="release").state_dict().items()}
    wide = {
        key: torch.zeros(()).expand(shape if len(shape) < 4 else (shape[0], 10**9)) for key, shape in shapes.items()
    }
    plain = saved({"a": torch.ones(2)})
    inside = {
        name: zipfile.ZipFile(io.BytesIO(plain)).read(name) for name in zipfile.ZipFile(io.BytesIO(plain)).namelist()
    }
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("pickle"))
    files = {
        "code": saved({"a": Code()}),
        "code_old": saved({"a": Code()}, _use_new_zipfile_serialization=False),
        "code_plain": pickle.dumps(Code(), 4),
        "code_two": pickle.dumps(Code(), 2),
        "bytes": saved({"a": Bytes()}),
        "list": saved([torch.ones(2)]),
        "tensor": saved(torch.ones(2)),
        "numbers": saved({"a": 1, 2: "b"}),
        "stranger": plain,
        "wide": saved(wide),
        "sparse": saved({"a": torch.ones(2, 2).to_sparse()}),
        "meta": saved({"a": torch.ones(2, device="meta")}),
        "nothing": saved({}),
        "deflated": zipped({**inside, "archive/data/9": b"\0" * 10**8}, zipfile.ZIP_DEFLATED),
        "no_data": zipped({"x": b"y"}),
        "empty_zip": zipped({}),
        "cut": plain[:-40],
        "noise": plain[:200] + rng.bytes(400) + plain[600:],
        "head": b"PK\x03\x04" + rng.bytes(500),
        "protocol": b"\x80\x04" + rng.bytes(500),
        "deep": b"\x80\x02" + b"(" * 10**6,
        "tar": tar.getvalue(),
    }
    return {f"pickle_{name}.pth": content for name, content in files.items()}


def keras(folder):
    """HDF5 files that speak of layers which are not there, are enormous, or lie elsewhere."""
    os.mkfifo(folder / "waits.h5")
    paths = {
        kind: folder / f"hdf5_{kind}.h5" for kind in ("empty", "names", "huge", "elsewhere", "raw", "numbers", "cut")
    }
    for kind, path in paths.items():
        with h5py.File(path, "w") as file:
            if kind == "numbers":
                file.attrs["layer_names"] = [1, 2]
            elif kind != "empty":
                file.attrs["layer_names"] = [b"dense_1"]
            if kind == "elsewhere":
                file["dense_1"] = h5py.ExternalLink(str(folder / "waits.h5"), "/x")
            elif kind in ("huge", "raw"):
                group = file.create_group("dense_1")
                group.attrs["weight_names"] = [b"kernel:0", b"bias:0"]
                where = (
                    {"external": [(str(folder / "waits.h5"), 0, 4 * 12)]} if kind == "raw" else {"chunks": (1, 1000)}
                )
                group.create_dataset("kernel:0", (3, 4) if kind == "raw" else (HUGE, HUGE), "f4", **where)
                group.create_dataset("bias:0", (HUGE,), "f4", chunks=(1000,))
    paths["cut"].write_bytes(paths["huge"].read_bytes()[:900])
    return list(paths.values())


def no_files(folder):
    """What lies there is no file, or not what its size says."""
    os.mkfifo(folder / "fifo.safetensors")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(folder)  # a socket's path is short
        server.bind("socket.safetensors")
        os.chdir(here)
    (folder / "folder.safetensors").mkdir()
    (folder / "device.safetensors").symlink_to("/dev/zero")
    (folder / "loop.safetensors").symlink_to("loop.safetensors")
    (folder / "dangling.safetensors").symlink_to("nowhere")
    # A file of 40 GiB that takes no room.
    card = metadata({"a": np.ones(1, np.float32)}, sha256="0" * 64)
    said = {
        "__metadata__": card,
        "to_ab.weight": {"dtype": "F32", "shape": [10 * 2**30], "data_offsets": [0, 40 * 2**30]},
    }
    text = json.dumps(said).encode()
    with (folder / "sparse.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + 40 * 2**30)
    kinds = ("fifo", "socket", "folder", "device", "loop", "dangling", "sparse", "missing")
    return [folder / f"{kind}.safetensors" for kind in kinds]
