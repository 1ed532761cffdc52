"""Options as dataclass fields that carry their help and their check, in sections that nest.

A section stands beside the code that needs it. Names are unique over all sections, so that the same configuration can
be written nested, as it is saved, or flat, as it is typed: `size` is `--size` wherever it stands.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from numbers import Integral, Real
from typing import Any, ClassVar, Self, get_type_hints

from chromagan.errors import UsageError

Check = Callable[[Any], bool]
MADE_BY = "made_by"  # in a saved configuration, beside the sections: the version that wrote it


def option(
    default: Any,
    help: str,
    check: Check | None = None,
    *,
    choices: tuple[str, ...] | None = None,
    free: bool = False,
    fixed: bool = False,
) -> Any:
    """A field of a `Section`; what the arguments say stands at `Option`. A list as default is copied."""
    metadata = {"help": help, "check": check, "choices": choices, "free": free, "fixed": fixed}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def at_least(least: float) -> Check:
    """A check: no smaller than that."""
    return lambda value: value >= least


def within(least: float, most: float) -> Check:
    """A check: between the two, both allowed."""
    return lambda value: least <= value <= most


@dataclass(frozen=True)
class Option:
    """What a section says of one of its fields."""

    name: str
    kind: Any  # the type of its values
    default: Any
    help: str  # a line for `--help`
    check: Check | None  # whether a value is in range; any is where there is none
    choices: tuple[str, ...] | None  # the only values allowed
    free: bool  # it may change when a run goes on, as it does not change what is computed
    fixed: bool  # it may not even change on purpose, as a state of the run holds what it decides

    @property
    def flag(self) -> str:
        """As it is typed."""
        return "--" + self.name.replace("_", "-")

    def fits(self, value: Any) -> bool:
        """Whether a value is of the option's kind: a saved configuration may hold anything."""
        if self.kind == list[str]:
            return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
        if self.kind in (int, float):
            number = isinstance(value, Integral if self.kind is int else Real) and not isinstance(value, bool)
            return number and not (isinstance(value, float) and not math.isfinite(value))
        return not isinstance(self.kind, type) or isinstance(value, self.kind)

    def allows(self, value: Any) -> bool:
        """Whether a value is in range."""
        return (self.choices is None or value in self.choices) and (self.check is None or self.check(value))


@dataclass(frozen=True)
class Section:
    """A frozen dataclass of options and of further sections.

    Raises:
        UsageError: a value out of its range, or values that contradict each other; the message names the flag.
    """

    command: ClassVar[str] = "chromagan train"

    def __post_init__(self) -> None:
        for one in self.own_options():
            value = getattr(self, one.name)
            if one.kind == list[str] and isinstance(value, str):  # one may be given plainly
                object.__setattr__(self, one.name, [value] if value else [])
            if not one.fits(getattr(self, one.name)):
                raise UsageError(f"{one.flag} does not take {value!r}; see {self.command} --help")
            if not one.allows(getattr(self, one.name)):
                raise UsageError(f"{one.flag} is out of range; see {self.command} --help")
        self.check()

    def check(self) -> None:
        """Refuse values that contradict each other: `UsageError`."""

    @classmethod
    def own_options(cls) -> list[Option]:
        """The options of this section itself, in their order."""
        kinds, found = get_type_hints(cls), []
        for one in fields(cls):
            if "help" in one.metadata:
                default = one.default if one.default_factory is MISSING else one.default_factory()
                kind = str if one.metadata["choices"] else kinds[one.name]
                found.append(Option(one.name, kind, default, **one.metadata))
        return found

    @classmethod
    def sections(cls) -> dict[str, type[Section]]:
        """The sections within, by name."""
        kinds = get_type_hints(cls)
        named = {one.name: kinds[one.name] for one in fields(cls)}
        return {name: kind for name, kind in named.items() if isinstance(kind, type) and issubclass(kind, Section)}

    @classmethod
    def options(cls) -> dict[str, Option]:
        """All options by name, those of the sections within included."""
        found = {one.name: one for one in cls.own_options()}
        for part in cls.sections().values():
            for name, one in part.options().items():
                if name in found:
                    raise UsageError(f"{one.flag} belongs to two sections of the configuration; rename one of them")
                found[name] = one
        return found

    @classmethod
    def from_flat(cls, values: Mapping[str, Any]) -> Self:
        """Build from values by option name; `UsageError` for a name that no section has. The rest has its default."""
        unknown = sorted(set(values) - set(cls.options()))
        if unknown:
            raise UsageError(f"unknown option {unknown[0]}")
        return cls._take(values)

    @classmethod
    def _take(cls, values: Mapping[str, Any]) -> Self:
        own = {one.name: values[one.name] for one in cls.own_options() if one.name in values}
        return cls._build(own, {name: part._take(values) for name, part in cls.sections().items()})

    @classmethod
    def _build(cls, own: dict[str, Any], parts: dict[str, Any]) -> Self:
        return cls(**own, **parts)

    def parts(self) -> dict[str, Section]:
        """The sections within, as they are."""
        return {name: getattr(self, name) for name in self.sections()}

    def as_dict(self) -> dict[str, Any]:
        """Plain values, a dictionary for each section within: the form in which a run is saved."""
        own = {one.name: getattr(self, one.name) for one in self.own_options()}
        return own | {name: part.as_dict() for name, part in self.parts().items()}

    def flat(self) -> dict[str, Any]:
        """Plain values by option name."""
        return flattened(self.as_dict())

    @classmethod
    def read(cls, saved: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a saved configuration, nested or flat, by option name and in today's form."""
        return flattened({name: value for name, value in saved.items() if name != MADE_BY})

    def changed(self, **values: Any) -> Self:
        """A copy with other values, by option name."""
        return self.from_flat(self.flat() | values)


def flattened(saved: Mapping[str, Any]) -> dict[str, Any]:
    """The nested or flat form of a saved configuration, as values by option name."""
    found: dict[str, Any] = {}
    for name, value in saved.items():
        found |= flattened(value) if isinstance(value, Mapping) else {name: value}
    return found
