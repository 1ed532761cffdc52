"""The package's shape: files stay small, and what must be light is light."""

import subprocess
import sys
from pathlib import Path

import pytest

import chromagan

PACKAGE = Path(chromagan.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))


def test_files_stay_small_and_have_names_of_their_own():
    lines = {str(f.relative_to(PACKAGE)): len(f.read_text(encoding="utf-8").splitlines()) for f in FILES}
    assert not {name: count for name, count in lines.items() if count > 400}
    vague = [f.name for f in FILES if f.stem in {"utils", "util", "helpers", "helper", "misc", "common"}]
    assert not vague


def test_adapters_are_short():
    adapters = [path for path in (PACKAGE.parent / "adapters").rglob("*") if path.suffix in (".py", ".lua")]
    lines = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in adapters}
    assert len(lines) >= 7
    assert not {name: count for name, count in lines.items() if count > 150}


def loaded_after(code):
    """Names of the modules in memory after a program has run, all of their parents included."""
    program = f"{code}\nimport sys\nprint(' '.join(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=PACKAGE.parent)
    assert answer.returncode == 0, answer.stderr
    return set(answer.stdout.split())


@pytest.mark.process
@pytest.mark.parametrize("code", ["import chromagan", "import chromagan.apps.cli.main"])
def test_the_command_line_starts_without_torch(code):
    assert not loaded_after(code) & {"torch", "numpy", "cv2", "PIL"}


@pytest.mark.process
def test_what_is_asked_for_is_planned_without_torch():
    """It is imported while the first photo is being decoded."""
    loaded = loaded_after("import chromagan.apps.cli.sample, chromagan.inference.batch_plan, chromagan.inference.batch")
    assert "chromagan.inference.batch" in loaded
    assert not loaded & {"torch", "scipy"}


@pytest.mark.process
def test_sampling_loads_nothing_that_only_training_and_metrics_need():
    heavy = {"torchvision", "timm", "lpips", "skimage", "sklearn", "torchmetrics", "tensorboard", "matplotlib"}
    ours = {f"chromagan.{part}" for part in ("metrics", "evaluation", "training", "losses", "data")}
    loaded = loaded_after(
        "import chromagan.apps.cli.sample, chromagan.inference.colorizer, chromagan.inference.batch\n"
        "from chromagan.models.registry import build_network\n"
        "build_network('chromagan', classes=0)"
    )
    assert "torch" in loaded
    assert not loaded & (heavy | ours)
