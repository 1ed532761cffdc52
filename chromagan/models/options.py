"""A network's options: the types and ranges that its class declares, and values read from text, `NAME=VALUE`."""

from __future__ import annotations

import collections.abc
import contextlib
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from chromagan.errors import ModelError, UsageError

_BOOL = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_LISTS = (list, tuple, collections.abc.Sequence)


@dataclass(frozen=True)
class Within:
    """The range of an option, both ends allowed; it stands beside its type: `Annotated[float, Within(0, 1)]`."""

    least: float
    most: float


_LONGEST = 1000  # characters of a word
Built = TypeVar("Built")
Width = Annotated[int, Within(1, 4096)]
Classes = Annotated[int, Within(0, 22_000)]


def built(build: Callable[..., Built], values: Mapping[str, Any], name: str) -> Built:
    """Build from options, of a stranger's file perhaps, when all are of the type and in the range that it declares.

    Args:
        build: the class whose keyword arguments they are.
        values: by name of the option.
        name: what is built, for the error.

    Raises:
        ModelError: it names the option, what was given, and what fits.
    """
    kinds = _types(build)
    for option, value in values.items():
        if not _fits(kinds.get(option, Any), value):
            raise ModelError(f"{name}: {option}={repr(value)[:60]}; give {_in_words(kinds[option])}")
    try:
        return build(**values)
    except TypeError as error:
        raise ModelError(f"{name} does not take this configuration: {error}") from error


def _types(build: Callable[..., Any]) -> dict[str, Any]:
    with contextlib.suppress(NameError):  # a type that is imported for the checker alone
        return typing.get_type_hints(build.__init__ if inspect.isclass(build) else build, include_extras=True)
    return {}


def _fits(kind: Any, value: Any) -> bool:
    parts, origin = typing.get_args(kind), typing.get_origin(kind) or kind
    if origin is Annotated:
        return _fits(parts[0], value) and all(one.least <= value <= one.most for one in parts[1:])
    if origin in (typing.Union, types.UnionType):
        return any(_fits(part, value) for part in parts)
    if origin is typing.Literal:
        return any(type(value) is type(part) and value == part for part in parts)
    if origin in _LISTS:
        return isinstance(value, list | tuple) and all(_fits(parts[0] if parts else Any, one) for one in value)
    if origin is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if origin is str:
        return isinstance(value, str) and len(value) <= _LONGEST
    return type(value) is origin if origin in (bool, int, types.NoneType) else True


def _in_words(kind: Any) -> str:
    parts, origin = typing.get_args(kind), typing.get_origin(kind) or kind
    if origin is Annotated:
        return f"{_in_words(parts[0])} from {parts[1].least} to {parts[1].most}"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(_in_words, parts))
    if origin is typing.Literal:
        return f"one of {', '.join(map(str, parts))}"
    if origin in _LISTS:
        return f"a list, each {_in_words(parts[0])}" if parts else "a list"
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a word", types.NoneType: "nothing"}
    return words.get(origin, str(origin))


def parse_options(words: Sequence[str], build: Callable[..., Any], flag: str) -> dict[str, Any]:
    """Options of a network, or of whatever else is built, by name.

    Args:
        words: `NAME=VALUE` each, `-` or `_` in the names; see `parse_value`.
        build: the class or function whose keyword arguments they are.
        flag: where the words stand, for errors.

    Raises:
        UsageError: no such option, or a value of another type.
    """
    known, hints = inspect.signature(build).parameters, _types(build)
    options = {}
    for word in words:
        name, equals, text = word.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or name not in known:
            raise UsageError(f"{flag} {word}: write NAME=VALUE, the names being {', '.join(known) or 'none here'}")
        default = known[name].default
        kind = hints.get(name, str if default is None or default is inspect.Parameter.empty else type(default))
        try:
            options[name] = parse_value(kind, text)
        except ValueError as error:
            raise UsageError(f"{flag} {word}: the value is not of the option's type; give {_in_words(kind)}") from error
    return options


def parse_value(kind: Any, text: str) -> Any:
    """A value of a type from its text: yes or no for bool, `a+b` for lists, `none` where there may be none.

    Raises:
        ValueError: the text is of another type.
    """
    parts, origin = typing.get_args(kind), typing.get_origin(kind) or kind
    if origin is Annotated:
        return parse_value(parts[0], text)
    if origin in (typing.Union, types.UnionType):
        for part in sorted(parts, key=lambda one: one is str):  # any text is a str: tried last
            with contextlib.suppress(ValueError):
                return parse_value(part, text)
        raise ValueError(text)
    if origin in _LISTS:
        return [parse_value(parts[0] if parts else str, part) for part in text.split("+")] if text else []
    if kind not in (bool, types.NoneType) and origin is not typing.Literal:
        return kind(text) if kind in (int, float) else text
    words = _BOOL if kind is bool else {str(part).lower(): part for part in parts or (None,)}
    if text.lower() not in words:
        raise ValueError(text)
    return words[text.lower()]
