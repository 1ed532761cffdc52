"""A network's options as text: `NAME=VALUE`, read by the types that its class declares."""

from __future__ import annotations

import collections.abc
import contextlib
import inspect
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

from chromagan.errors import UsageError

_BOOL = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_LISTS = (list, tuple, collections.abc.Sequence)


def parse_options(words: Sequence[str], build: Callable[..., Any], flag: str) -> dict[str, Any]:
    """Options of a network, or of whatever else is built, by name.

    Args:
        words: `NAME=VALUE` each, `-` or `_` in the names; see `parse_value`.
        build: the class or function whose keyword arguments they are.
        flag: where the words stand, for errors.

    Raises:
        UsageError: no such option, or a value of another type.
    """
    known = inspect.signature(build).parameters
    hints: dict[str, Any] = {}
    with contextlib.suppress(NameError):  # a type that is imported for the checker alone
        hints = typing.get_type_hints(build.__init__ if inspect.isclass(build) else build)
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
            shown = kind.__name__ if inspect.isclass(kind) else kind
            raise UsageError(f"{flag} {word}: the value is not of the option's type, {shown}") from error
    return options


def parse_value(kind: Any, text: str) -> Any:
    """A value of a type from its text: yes or no for bool, `a+b` for lists, `none` where there may be none.

    Raises:
        ValueError: the text is of another type.
    """
    parts, origin = typing.get_args(kind), typing.get_origin(kind) or kind
    if origin in (typing.Union, types.UnionType):
        for part in sorted(parts, key=lambda one: one is str):  # any text is a str: tried last
            with contextlib.suppress(ValueError):
                return parse_value(part, text)
        raise ValueError(text)
    words: dict[str, Any]
    if origin in _LISTS:
        return [parse_value(parts[0] if parts else str, part) for part in text.split("+")] if text else []
    if origin is typing.Literal:
        words = {str(part).lower(): part for part in parts}
    elif kind is bool:
        words = _BOOL
    elif kind is types.NoneType:
        words = {"none": None}
    else:
        return kind(text) if kind in (int, float) else text
    if text.lower() not in words:
        raise ValueError(text)
    return words[text.lower()]
