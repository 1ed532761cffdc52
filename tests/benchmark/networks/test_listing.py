"""The zoo's list agrees with the networks, and docs/zoo.md with the list."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from chromagan.apps.cli.main import main
from chromagan.benchmark.networks.listing import zoo_entry, zoo_text
from chromagan.models import registry
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.registry import list_models, register_model

ROOT = Path(__file__).parents[3]


@pytest.fixture
def own_records(monkeypatch):
    """A copy of the registry that the test may write to."""
    list_models()
    monkeypatch.setattr(registry, "_RECORDS", dict(registry._RECORDS))


@pytest.mark.process
def test_docs_are_current():
    # in a process of its own, because other tests register networks
    command = [sys.executable, "-m", "chromagan", "zoo", "--markdown"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kept = (ROOT / "docs" / "zoo.md").read_text(encoding="utf-8")
    assert done.stdout == kept, "run: chromagan zoo --markdown > docs/zoo.md"


def test_published_sizes():
    lines = (ROOT / "docs" / "zoo.md").read_text(encoding="utf-8").splitlines()
    row = next(line for line in lines if line.startswith("| `chromagan_paper`"))
    assert "47,523,234" in row
    assert "171,166,090" in row
    assert "none shipped: `chromagan train --model chromagan_paper`" in row
    row = next(line for line in lines if line.startswith("| `chromagan` "))
    assert row.rstrip(" |").endswith("`chromagan`, `chromagan@small`")
    row = next(line for line in lines if "`chromagan.safetensors`" in line)
    assert row.startswith("| `chromagan` ")
    assert "42.2 MiB" in row


def register_tiny(looks_at_values):
    @register_model(
        "tiny_of_zoo", paper="a test", title="Tiny", outputs="ab", licence="MIT", weights="its authors' tiny.pth"
    )
    class Tiny(ColorizationNetwork):
        training_only_prefixes = ("class_head.",)

        def __init__(self, classes=7):
            super().__init__()
            self.config = {"classes": classes}
            self.to_ab = nn.Conv2d(1, 2, 3, padding=1)
            self.class_head = nn.Linear(1, classes) if classes else None
            if looks_at_values:
                self.scale = float(torch.tensor(2.0))

        def predict(self, L, hints):
            if looks_at_values:
                L = L * float(L.mean() + self.scale)
            return Prediction(self.to_ab(L))


@pytest.mark.parametrize("looks_at_values", [False, True])
def test_counts_are_the_closed_form(own_records, looks_at_values):
    register_tiny(looks_at_values)
    entry = zoo_entry("tiny_of_zoo")
    assert entry.parameters == 2 * 9 + 2
    assert entry.training_parameters == entry.parameters + 7 + 7
    assert entry.multiply_adds == 256 * 256 * 2 * 9
    text = zoo_text([entry])
    for word in ("tiny_of_zoo: Tiny", "20 parameters (34 in training)", "0.00 G", "a test", "MIT", "tiny.pth"):
        assert word in text


WITHOUT_TIMM = """
import sys
sys.modules |= dict.fromkeys(("timm", "torchvision"))  # an import of None is an ImportError
from chromagan.apps.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.process
def test_the_zoo_is_listed_without_timm():
    def run(*words):
        command = [sys.executable, "-c", WITHOUT_TIMM, "zoo", *words]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    done = run("*unet")
    assert (done.returncode, done.stderr) == (0, "")
    blocks = {block.partition(":")[0]: block for block in done.stdout.split("\n\n")}
    assert sorted(blocks) == ["cunet", "densenet_unet", "mobilenet_unet", "unet"]
    assert "31,036,546 parameters" in blocks["unet"]
    assert "pip install 'chromagan[train]'" in blocks["mobilenet_unet"]
    assert "licence:" in blocks["mobilenet_unet"]
    written = run("mobilenet_unet", "--markdown")
    assert written.returncode == 1
    assert written.stderr.count("\n") == 1
    assert "mobilenet_unet: this needs timm" in written.stderr


def test_the_command_lists_by_pattern(capsys):
    assert main(["zoo", "gr?y"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("gray:")
    assert "mean" not in told
    assert main(["zoo", "nothing*"]) == 2
    assert "nothing*" in capsys.readouterr().err
