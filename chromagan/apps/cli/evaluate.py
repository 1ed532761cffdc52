"""`chromagan evaluate`: compare colorizers - folders of pictures by any program, or models - with the truth."""

from __future__ import annotations

import argparse
import logging
from dataclasses import fields

from chromagan.evaluation.options import EvaluateOptions

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    groups: dict[str, argparse._ActionsContainer] = {"": parser}
    for one in fields(EvaluateOptions):
        words = dict(one.metadata)
        title = words.pop("group")
        group = groups[title] = groups.get(title) or parser.add_argument_group(title)
        if "nargs" in words:
            words["action"] = "extend"  # given twice, all of them count
        default = list(one.default) if isinstance(one.default, tuple) else one.default
        group.add_argument("--" + one.name.replace("_", "-"), default=default, **words)


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, write the report; returns the exit code."""
    options = EvaluateOptions(**{field.name: getattr(args, field.name) for field in fields(EvaluateOptions)})
    from chromagan.evaluation.evaluate import evaluate

    found = evaluate(options)
    if found is None:
        return 0
    print(found.text())
    for warning in found.result.warnings:
        log.warning("%s", warning)
    if args.out:
        print(f"written to {args.out}")
    for reason in dict.fromkeys(found.result.missing.values()):
        log.warning("%s", reason)
    return 1 if found.result.missing else 0
