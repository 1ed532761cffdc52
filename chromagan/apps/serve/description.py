"""What `/openapi.json` says: schemas made of the very types that are checked, and no others."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from chromagan.apps.serve.refusals import TOLD
from chromagan.conditioning.guidance import VERSION, Guidance
from chromagan.inference.request import MOST_SATURATION

_TYPES = ("image/jpeg", "image/png", "image/tiff", "image/webp", "image/heif", "image/avif")
_BINARY = {"type": "string", "format": "binary"}
_COLOUR = {
    "anyOf": [
        {"type": "string", "pattern": "^#[0-9a-fA-F]{6}$"},
        {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}, "minItems": 3, "maxItems": 3},
    ],
    "description": "sRGB of 8 bits",
}


class Wish(BaseModel):
    """What the query may say; what is left out is as guidance, or the network, has it."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["jpeg", "png", "tiff", "webp", "heif", "avif"] | None = Field(
        None, description="of the answer; the photo's own where that can be written, else PNG"
    )
    quality: int = Field(95, ge=1, le=100, description="of lossy formats")
    saturation: float | None = Field(None, ge=0, le=MOST_SATURATION, description="1 is as the network paints")
    warmth: float | None = Field(None, ge=-1, le=1, description="from colder, over as it is painted, to warmer")
    size: int | None = Field(None, ge=1, description="working size in pixels, the short side that the network sees")
    views: Literal[1, 2, 4] | None = Field(None, description="how often the network sees it: halved, mirrored too")
    seed: int | None = Field(None, ge=0, lt=2**63, description="paints the variation that it draws")

    @property
    def given(self) -> dict[str, Any]:
        """The fields of a `Request` that were said."""
        said = {name: getattr(self, name) for name in ("saturation", "warmth", "size", "views")}
        seeded = {} if self.seed is None else {"variations": 1, "seed": self.seed}
        return {name: value for name, value in said.items() if value is not None} | seeded


class Refusal(BaseModel):
    """Why there is no photo, in one line; `id` is that of the request in the service's log."""

    error: str
    id: str = ""


class State(BaseModel):
    """How the service is."""

    state: Literal["up", "ready", "loading", "ending", "failed"]
    model: str = Field("", description="that paints, once it is loaded")
    accepted: int = Field(0, description="photos that are not yet answered")


def refusals(*codes: int) -> dict[int | str, dict[str, Any]]:
    """What a path may answer besides what it is for."""
    return {code: {"model": Refusal, "description": TOLD[code]} for code in codes}


PHOTO: dict[int | str, dict[str, Any]] = {
    200: {"description": "the photo in colour", "content": {one: {"schema": _BINARY} for one in _TYPES}}
}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The photo itself, or a form with it.",
        "content": {
            "application/octet-stream": {"schema": _BINARY},
            "image/*": {"schema": _BINARY},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["photo"],
                    "additionalProperties": False,
                    "properties": {
                        "photo": {**_BINARY, "description": "a file"},
                        "guidance": {"$ref": "#/components/schemas/Guidance"},
                        "file": {"type": "array", "items": _BINARY, "maxItems": 15,
                                 "description": "pictures that guidance names, as files with these names"},
                    },
                },  # fmt: skip
                "encoding": {"guidance": {"contentType": "application/json, image/png"}},
            },
        },
    }
}  # fmt: skip


def with_guidance(document: dict[str, Any]) -> dict[str, Any]:
    """The description with the schema of guidance, made of the dataclasses that read it."""
    schema = TypeAdapter(Guidance).json_schema(ref_template="#/components/schemas/{model}")
    parts = schema.pop("$defs")
    for part in (schema, *parts.values()):
        part["description"] = part["description"].partition("\n")[0]
        part["additionalProperties"] = False
        for name in ("rgb", "applied"):
            if name in part.get("properties", {}):
                part["properties"][name] = _COLOUR
    parts["Palette"]["properties"]["colours"]["items"] = _COLOUR
    version = {"type": "integer", "minimum": 1, "maximum": VERSION}
    schema["properties"] = {"version": version, **schema["properties"]}
    schema["required"] = ["version"]
    document["components"]["schemas"] |= {"Guidance": schema, **parts}
    return document
