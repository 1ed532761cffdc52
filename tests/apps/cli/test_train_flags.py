"""The flags of `chromagan train` as scripts know them: each stands as it stood, whatever has come beside it."""

import argparse
import json
from pathlib import Path

from chromagan.apps.cli.train import add_arguments

KNOWN = json.loads(Path(__file__).with_name("train_flags.json").read_text(encoding="utf-8"))


def test_every_flag_of_before_has_its_name_default_choices_and_help():
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    now = {action.option_strings[0]: action for action in parser._actions if action.option_strings}
    for flag, (aliases, nargs, kind, choices, text) in KNOWN.items():
        action = now[flag]
        assert action.option_strings[1:] == aliases, flag
        assert (action.nargs, getattr(action.type, "__name__", None)) == (nargs, kind), flag
        if flag == "--preset":  # it lists the networks, and tests register more of them
            assert set(choices) <= set(action.choices)
            continue
        assert (action.choices and list(action.choices)) == choices, flag
        assert action.help == text, flag  # the default stands in it
