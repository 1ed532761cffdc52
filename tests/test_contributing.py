"""The recipes of CONTRIBUTING.md, as they stand there: each one file in its room, and nothing else is touched."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^```python\n# (chromagan/\w+/\w+\.py)\n(.+?)^```", re.MULTILINE | re.DOTALL)
RECIPES = dict(FENCE.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
# The rooms look for their files in one more folder, as if the new ones had been put beside the others.
PROGRAM = """
import importlib, sys
for room in ("models", "metrics", "losses"):
    importlib.import_module(f"chromagan.{room}").__path__.append(f"{sys.argv[1]}/chromagan/{room}")
from chromagan.apps.cli.main import main
sys.exit(main(sys.argv[2:]))
"""
pytestmark = [pytest.mark.slow, pytest.mark.process]


@pytest.fixture(scope="module")
def recipes(tmp_path_factory):
    """The command line of a house that the three files were added to."""
    house = tmp_path_factory.mktemp("house")
    for name, text in RECIPES.items():
        path = house / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def run(*words):
        command = [sys.executable, "-c", PROGRAM, str(house), *map(str, words)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run.house = house
    return run


@pytest.fixture(scope="module")
def trained(recipes, colour_photos, tmp_path_factory):
    """A run of the recipe's network with the recipe's loss term, and its weights."""
    out = tmp_path_factory.mktemp("stack")
    options = ["--model", "stack", "--model-option", "width=8", "depth=3", "--hue-weight", "0.1", "--class-weight", 0]
    small = ["--images", 8, "--batch-size", 4, "--size", 32, "--workers", 0, "--min-chroma", 0, "--device", "cpu"]
    recipes("train", *options, "--adversarial-weight", 0, *small, "--data", colour_photos, "--out", out / "run")
    recipes("export", out / "run", "-o", out / "stack.safetensors")
    return out


def test_there_are_three():
    assert sorted(name.split("/")[1] for name in RECIPES) == ["losses", "metrics", "models"]


def test_the_recipes_are_in_the_style_of_the_house(recipes):
    ours = 'lint.isort.known-first-party = ["chromagan"]'
    command = [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), "--config", ours]
    done = subprocess.run([*command, str(recipes.house)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_network_has_its_options(recipes, trained):
    from chromagan.pretrained.store import read_weights

    tensors, card = read_weights(trained / "stack.safetensors")
    assert (card.model, card.config) == ("stack", {"width": 8, "depth": 3})
    assert sum(name.endswith("weight") for name in tensors) == 3 + 1
    assert "stack" in recipes("zoo")


def test_the_loss_term_is_computed_and_logged(trained):
    lines = [json.loads(line) for line in (trained / "run" / "stats.jsonl").read_text().splitlines()]
    values = [line["hue"] for line in lines if "hue" in line]
    assert values
    assert all(0 <= value <= 2 for value in values)


def test_the_metric_is_in_the_table(recipes, trained, colour_photos, tmp_path):
    metrics = ["--metrics", "psnr", "hue_error"]
    model = ["--model", trained / "stack.safetensors"]
    out = recipes("evaluate", "--data", colour_photos, *model, *metrics, "--out", tmp_path / "report")
    assert "hue" in out.lower()
    assert "Hue error" in next((tmp_path / "report").glob("*.html")).read_text(encoding="utf-8")
