"""The package's shape: imports point one way, files stay small, and what must be light is light."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
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


def imported_modules(file):
    """What of chromagan a file imports, anywhere in it: `color.lab.x` for `from chromagan.color.lab import x`."""
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
                yield rest, node.lineno


def imported_parts(file):
    """Packages of chromagan that a file imports: `color` for `from chromagan.color.lab import x`."""
    for name, line in imported_modules(file):
        yield name.split(".")[0], line


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


def circles(package, folder):
    """Parts of a package's folder, subfolders and files, that import each other in a circle; None where none do."""
    parts = {}
    for file in (package / folder).rglob("*.py"):
        part = file.relative_to(package / folder).parts[0].removesuffix(".py")
        names = [name.split(".") for name, _ in imported_modules(file)]
        parts.setdefault(part, set()).update(n[1] for n in names if n[0] == folder and len(n) > 1 and n[1] != part)
    try:
        TopologicalSorter(parts).prepare()
    except CycleError as error:
        return error.args[1]
    return None


@pytest.mark.parametrize("folder", sorted({part_of(file) for file in FILES if file.parent != PACKAGE}))
def test_no_part_of_a_package_imports_one_that_stands_on_it(folder):
    assert circles(PACKAGE, folder) is None


def test_a_circle_is_found(tmp_path):
    for name, imports in (("a/x", "b"), ("a/y", "c"), ("b", "c"), ("c", "a.x")):
        file = tmp_path / "rooms" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"from chromagan.rooms.{imports} import f\n")
    assert {"a", "c"} <= set(circles(tmp_path, "rooms")) <= {"a", "b", "c"}
    (tmp_path / "rooms" / "c.py").write_text("")
    assert circles(tmp_path, "rooms") is None


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
