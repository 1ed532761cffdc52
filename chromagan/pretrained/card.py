"""What a weights file says of itself: the metadata of a safetensors file."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from chromagan.models.look import Look

_LONGEST = {"model": 100, "licence": 1000, "created_by": 1000}  # characters of an entry
# A path from the root: in quotes, where it may hold spaces, or without.
_QUOTED, _BARE = (
    r"""(["'])(?:/|[A-Za-z]:[/\\])[^"']*[/\\]([^"'/\\]+)\1""",
    r"""(?<!\S)(?:/|[A-Za-z]:[/\\])[^\s"']*[/\\]([^\s"'/\\]+)""",
)
_REQUIRED = ("model", "config", "created_by", "licence", "sha256", "command")


@dataclass(frozen=True)
class WeightsCard:
    """The metadata of a weights file.

    Attributes:
        model: the registered name of the network (or "chroma_upsampler").
        config: keyword arguments that rebuild the network.
        created_by: the program and its version.
        licence: SPDX name of the licence of the weights.
        sha256: `digest` of the tensors.
        command: the command that trained them.
        look: how these weights want to be used.
        extra: whatever else the file carries, as text.
    """

    model: str
    config: dict[str, Any]
    created_by: str
    licence: str
    sha256: str
    command: str
    look: Look = Look()
    extra: dict[str, str] = field(default_factory=dict)

    def to_metadata(self) -> dict[str, str]:
        """The flat text dictionary that safetensors stores, of files and folders their last names alone."""
        metadata = {name: str(getattr(self, name)) for name in _REQUIRED if name != "config"}
        metadata["config"] = json.dumps(self.config, sort_keys=True)
        metadata["look"] = json.dumps(self.look.as_dict(), sort_keys=True)
        return {name: without_folders(text) for name, text in {**self.extra, **metadata}.items()}

    @classmethod
    def from_metadata(cls, metadata: dict[str, str]) -> WeightsCard:
        """Read the dictionary back; `ValueError` says which entry is missing or malformed.

        Version 0.1 wrote the look, or part of it, as `inference`.
        """
        missing = [name for name in _REQUIRED if name not in metadata]
        if missing:
            raise ValueError(f"its metadata lacks {', '.join(missing)}")
        for name in (*_REQUIRED, "inference", "look"):
            longest = _LONGEST.get(name, 100_000)
            if len(metadata.get(name, "")) > longest:
                raise ValueError(f"its metadata entry {name!r} is longer than {longest:,} characters")
        entries = {name: metadata[name] for name in _REQUIRED if name != "config"}
        config, old, look = (_json_object(metadata, name) for name in ("config", "inference", "look"))
        extra = {name: text for name, text in metadata.items() if name not in (*_REQUIRED, "inference", "look")}
        return cls(config=config, look=Look.from_dict({**old, **look}), extra=extra, **entries)


def without_folders(text: str) -> str:
    """A text whose paths from the root are cut down to their last names: people publish their weights."""
    return re.sub(_BARE, r"\1", re.sub(_QUOTED, r"\1\2\1", text))


def _json_object(metadata: dict[str, str], name: str) -> dict[str, Any]:
    try:
        value = json.loads(metadata.get(name, "{}"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its metadata entry {name!r} is not JSON") from error
    if not isinstance(value, dict):
        raise ValueError(f"its metadata entry {name!r} is not a JSON object")
    return value
