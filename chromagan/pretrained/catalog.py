"""The catalogue of weights: `chromagan` and `chromagan@NAME` wherever a model is named.

An entry is a line of the table and a file: in `weights/` of a checkout, in the wheel (`force-include` of
pyproject.toml names what fits there), or at an address. How weights want to be used stands in the file itself.
"""

from __future__ import annotations

import hashlib
import http.client
import logging
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from chromagan.errors import UnknownNameError, WeightsError, WriteError
from chromagan.files.atomic import write_atomically
from chromagan.files.cache import cache_folder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """Weights that go by a name.

    Attributes:
        model: registered name of the network; by itself it stands for the first entry of that network.
        tag: which weights, without dots and slashes: `model@tag`.
        file, size: in the weights folder, in bytes.
        licence, about: of the weights, SPDX; a line on what they are.
        url, sha256: where the file is to be had, for those that are not everywhere, and what it then is as a whole.
    """

    model: str
    tag: str
    file: str
    size: int
    licence: str
    about: str
    url: str = ""
    sha256: str = ""

    @property
    def name(self) -> str:
        """The shortest name."""
        return self.model if entries_of(self.model)[0] == self else f"{self.model}@{self.tag}"

    @property
    def local(self) -> Path | None:
        """The file, where it is on this machine."""
        places = (weights_folder() / self.file, cache_folder("weights") / f"{self.sha256}-{self.file}")
        return next((path for path in places if path.is_file()), None)


CATALOGUE: tuple[Entry, ...] = (
    Entry(
        "chromagan",
        "base",
        "chromagan.safetensors",
        44_247_956,
        "Apache-2.0",
        "EfficientNet-Lite2 and VGG16, takes colour hints; 545,280 photographs, 256 px",
    ),
    Entry(
        "chromagan",
        "small",
        "small.safetensors",
        13_634_212,
        "Apache-2.0",
        "EfficientNet-Lite2, takes colour hints; 486,144 photographs, 256 px, seen at two sizes",
    ),
    Entry("chroma_upsampler", "base", "chroma_upsampler.safetensors", 129_608, "Apache-2.0", "the x2 chroma step"),
)

_PATIENCE = 30.0  # seconds without an answer
_BLOCK = 1 << 20


def weights_folder() -> Path:
    """The folder of the weights that came with the program: inside an installed package, or of a checkout."""
    package = Path(__file__).parents[1]
    checkout = package.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / "weights").is_dir():
        return checkout / "weights"
    return package / "_weights"


def entries_of(model: str) -> list[Entry]:
    """The entries of a network, that of its plain name first."""
    return [entry for entry in CATALOGUE if entry.model == model]


def named_weights(name: str) -> Path:
    """The file of an entry, downloaded when it is asked for the first time.

    Args:
        name: `MODEL` or `MODEL@TAG`.

    Raises:
        WeightsError: there is no such entry; its file is not there and cannot be had; it is not what was published.
        WriteError: the download cannot be kept.
    """
    entry = next((entry for entry in CATALOGUE if name in (entry.model, f"{entry.model}@{entry.tag}")), None)
    if entry is None:
        shipped = ", ".join(entry.name for entry in CATALOGUE if entry.model != "chroma_upsampler")
        raise UnknownNameError(
            f"no weights are shipped for {name!r} (shipped: {shipped or 'none'}); "
            "give a .safetensors file, or train one with `chromagan train`"
        )
    return entry.local or _download(entry)


def _download(entry: Entry) -> Path:
    """Fetch an entry's file into the cache, where it appears when it is complete and what its digest says."""
    if not entry.url:
        raise WeightsError(
            f"{entry.name}: {entry.file} did not come with this installation; name the file, which weights/ of a "
            "checkout holds"
        )
    path = cache_folder("weights") / f"{entry.sha256}-{entry.file}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{path.parent}: cannot be made ({error.strerror}); set CHROMAGAN_CACHE") from error
    log.info("%s: downloading %.1f MiB from %s", entry.name, entry.size / 2**20, entry.url)

    def checked(file: BinaryIO) -> None:
        sha = hashlib.sha256()
        for block in _blocks(entry):
            sha.update(block)
            file.write(block)
        if sha.hexdigest() != entry.sha256:
            raise WeightsError(f"{entry.name}: {entry.url} gave another file than was published; try again later")

    write_atomically(path, checked, sync=True)
    return path


def _blocks(entry: Entry) -> Iterator[bytes]:
    try:
        with urllib.request.urlopen(entry.url, timeout=_PATIENCE) as answer:
            yield from iter(lambda: answer.read(_BLOCK), b"")
    except (OSError, http.client.HTTPException) as error:
        raise WeightsError(
            f"{entry.name}: {entry.file} cannot be had from {entry.url} ({error or type(error).__name__}); connect, or "
            "name a local file"
        ) from error
