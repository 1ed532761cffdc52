"""The published networks that metrics need: found in a folder or in torch's cache, downloaded once, checked, read.

A file whose name carries the first digits of its SHA-256 (as torchvision and pytorch-fid publish them) must have that
digest. Nothing substitutes one network for another.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from chromagan.errors import MetricUnavailable, UsageError, WeightsError

OPTION = "--metric-networks"
_TORCHVISION = "https://download.pytorch.org/models/"
_REMEDY = "download it again"
_PATIENCE = 30.0  # seconds without an answer; a firewall that drops packets would hold up a run for minutes


@dataclass(frozen=True)
class PublishedFile:
    """Where a network's weights are published, and the names under which the same file is known."""

    url: str
    other_names: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """File names, the published one first."""
        return self.url.rsplit("/", 1)[1], *self.other_names


PUBLISHED: dict[str, PublishedFile] = {
    "lpips_alex": PublishedFile(_TORCHVISION + "alexnet-owt-7be5be79.pth"),
    "lpips_vgg": PublishedFile(_TORCHVISION + "vgg16-397923af.pth"),
    "lpips_squeeze": PublishedFile(_TORCHVISION + "squeezenet1_1-b8a52dc0.pth"),
    "inception_tf": PublishedFile(
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
        ("weights-inception-2015-12-05-6726825d.pth",),
    ),
    "inception_torchvision": PublishedFile(_TORCHVISION + "inception_v3_google-0cc3c7bd.pth"),
}

Networks = Mapping[str, str | os.PathLike[str]] | str | os.PathLike[str] | None


def network_tensors(network: str, metric: str, networks: Networks = None, download: bool = True) -> dict[str, Tensor]:
    """The published state dict of a metric's network.

    Looked for in this order: the file that `networks` names; the published names in the folder `networks`; torch's
    cache of downloads (which torchvision shares); the network's own address.

    Args:
        network: a key of `PUBLISHED`.
        metric: what it is for, for messages.
        networks: one folder, or a mapping from keys of `PUBLISHED` to files (.pth or .safetensors).
        download: whether the last place may be tried.

    Returns:
        Tensors by name, float32.

    Raises:
        MetricUnavailable: it is in none of these places.
        UsageError: the folder does not exist, or the mapping names a network that is not there.
        WeightsError: a file was found and is damaged, or not what its name says.
    """
    path = _given(network, networks) or _cached(network)
    if path is None:
        path = _downloaded(network, metric, download)
    return read_tensors(path)


def _given(network: str, networks: Networks) -> Path | None:
    if networks is None:
        return None
    if isinstance(networks, Mapping):
        unknown = sorted(set(networks) - set(PUBLISHED))
        if unknown:
            raise UsageError(f"no metric uses a network {unknown[0]!r}; there are {', '.join(PUBLISHED)}")
        if network not in networks:
            return None
        path = Path(networks[network])
        if not path.is_file():
            raise UsageError(f"{path}: there is no such file for the network {network}; check the name")
        return path
    folder = Path(networks)
    if not folder.is_dir():
        raise UsageError(f"{folder}: not a folder; {OPTION} takes the folder that holds the metrics' networks")
    return _first_file(folder, PUBLISHED[network].names)


def _cached(network: str) -> Path | None:
    return _first_file(Path(torch.hub.get_dir()) / "checkpoints", PUBLISHED[network].names)


def _first_file(folder: Path, names: Sequence[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _downloaded(network: str, metric: str, allowed: bool) -> Path:
    file = PUBLISHED[network]
    name = file.names[0]
    reason = "not downloaded, as asked"
    if allowed:
        patience = socket.getdefaulttimeout()
        try:
            socket.setdefaulttimeout(_PATIENCE)
            path = Path(torch.hub.get_dir()) / "checkpoints" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(file.url, str(path), _digits(name), progress=False)
            return path
        except (OSError, RuntimeError) as error:  # no connection or disk; another digest
            reason = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
        finally:
            socket.setdefaulttimeout(patience)
    raise MetricUnavailable(
        f"{metric} is left out: {name} is missing and could not be had from {file.url} ({reason}); "
        f"put it into a folder and name that with {OPTION} DIR"
    )


def _digits(name: str) -> str | None:
    """The first hexadecimal digits of the SHA-256 that a published name ends in."""
    found = re.search(r"-([0-9a-f]{8,64})\.\w+$", name)
    return found[1] if found else None


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a state dict from .safetensors or from a .pth, running nothing that is in it; checks a digest in the name.

    Raises:
        WeightsError: the digest differs, or the file holds anything but tensors by name.
    """
    digits = _digits(path.name)
    try:
        if digits:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if not found.startswith(digits):
                raise WeightsError(f"{path}: its sha256 starts with {found[:8]}, not as its name says; {_REMEDY}")
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            tensors = load_file(path)
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(f"{path}: more than tensors, or damaged, so it was not opened; {_REMEDY}") from error
    except WeightsError:
        raise
    except Exception as error:  # torch and safetensors raise whatever their readers raise
        raise WeightsError(f"{path}: not a readable state dict ({type(error).__name__}); {_REMEDY}") from error
    if not isinstance(tensors, dict) or not all(isinstance(v, Tensor) for v in tensors.values()):
        raise WeightsError(f"{path}: not a state dict of tensors by name; {_REMEDY}")
    return {str(k): v.detach().float() if v.is_floating_point() else v for k, v in tensors.items()}


def take_tensors(module: torch.nn.Module, tensors: Mapping[str, Tensor], ignored: Sequence[str], source: str) -> None:
    """Copy a published state dict into a network, strictly; entries with the ignored prefixes are left out.

    Raises:
        WeightsError: an entry is missing, unknown or of another shape, so these are another network's weights (called
            `source`).
    """
    own = {k: v for k, v in module.state_dict().items() if not k.endswith("num_batches_tracked")}
    left = {
        k: v for k, v in tensors.items() if not k.endswith("num_batches_tracked") and not k.startswith(tuple(ignored))
    }
    wrong = sorted(set(own) ^ set(left)) or sorted(k for k in own if own[k].shape != left[k].shape)
    if wrong:
        raise WeightsError(f"{source}: another network's weights ({wrong[0]} does not fit); give the published file")
    module.load_state_dict(left, strict=False)
