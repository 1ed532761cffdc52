"""The package's shape: imports point one way, files stay small, and what must be light is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import chromagan

PACKAGE = Path(chromagan.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# From the ground up; a package imports from rows below its own, and from itself.
ROWS = (
    ("color", "distributed"),
    ("models", "losses", "images"),
    ("pretrained", "data", "metrics"),
    ("inference",),
    ("evaluation",),
    ("training",),
    ("cli",),
)
ROW = {package: row for row, packages in enumerate(ROWS) for package in packages}
# The package's face hands out names of any row lazily, and errors belong to all.
OUTSIDE = {"__init__", "__main__", "errors"}


def part_of(file):
    first = file.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported_parts(file):
    """Packages of chromagan that a file imports, anywhere in it: `color` for `from chromagan.color.lab import x`."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            top, _, rest = name.partition(".")
            if top == "chromagan" and rest:
                yield rest.split(".")[0], node.lineno


def test_every_package_has_a_row():
    parts = {part_of(file) for file in FILES} - OUTSIDE
    assert parts <= set(ROW), f"give {sorted(parts - set(ROW))} a row"


def test_imports_point_one_way():
    wrong = []
    for file in FILES:
        part = part_of(file)
        if part in OUTSIDE:
            continue
        for other, line in imported_parts(file):
            if other in ROW and other != part and ROW[other] >= ROW[part]:
                wrong.append(f"{file.relative_to(PACKAGE)}:{line} imports {other}")
    assert not wrong, "\n".join(wrong)


def test_the_rule_can_fail(tmp_path):
    file = tmp_path / "x.py"
    file.write_text("def f():\n    from chromagan.training import loop\n    import chromagan.cli.main\n")
    assert list(imported_parts(file)) == [("training", 2), ("cli", 3)]


def test_files_stay_small_and_have_names_of_their_own():
    lines = {str(f.relative_to(PACKAGE)): len(f.read_text(encoding="utf-8").splitlines()) for f in FILES}
    assert not {name: count for name, count in lines.items() if count > 400}
    vague = [f.name for f in FILES if f.stem in {"utils", "util", "helpers", "helper", "misc", "common"}]
    assert not vague


def loaded_after(code):
    """Names of the modules in memory after a program has run, all of their parents included."""
    program = f"{code}\nimport sys\nprint(' '.join(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=PACKAGE.parent)
    assert answer.returncode == 0, answer.stderr
    return set(answer.stdout.split())


@pytest.mark.parametrize("code", ["import chromagan", "import chromagan.cli.main"])
def test_the_command_line_starts_without_torch(code):
    assert not loaded_after(code) & {"torch", "numpy", "cv2", "PIL"}


def test_sampling_loads_nothing_that_only_training_and_metrics_need():
    heavy = {"torchvision", "timm", "lpips", "skimage", "sklearn", "torchmetrics", "tensorboard", "matplotlib"}
    ours = {f"chromagan.{part}" for part in ("metrics", "evaluation", "training", "losses", "data")}
    loaded = loaded_after(
        "import chromagan.cli.sample, chromagan.inference.colorizer, chromagan.inference.batch\n"
        "from chromagan.models.registry import build_network\n"
        "build_network('chromagan', classes=0)"
    )
    assert "torch" in loaded
    assert not loaded & (heavy | ours)
