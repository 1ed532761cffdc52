"""What is given out: archives that an index takes, nothing useless in them; a documentation site without a warning."""

import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from chromagan.version import __version__

ROOT = Path(__file__).parents[1]
pytestmark = [pytest.mark.slow, pytest.mark.process]


def run(*words):
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """The wheel, built from the source archive as an index's users would, and the source archive."""
    for tool in ("build", "twine"):
        pytest.importorskip(tool, reason=f'{tool} is not installed: pip install ".[test]"')
    out = tmp_path_factory.mktemp("dist")
    run("build", "--no-isolation", "--outdir", str(out))
    return next(out.glob("*.whl")), next(out.glob("*.tar.gz"))


def test_an_index_takes_the_archives(archives):
    assert run("twine", "check", "--strict", *map(str, archives)).count("PASSED") == 2
    assert all(f"chromagan-{__version__}" in path.name for path in archives)


def test_the_wheel_is_small_and_holds_the_package_alone(archives):
    assert archives[0].stat().st_size < 100e6
    with zipfile.ZipFile(archives[0]) as wheel:
        names = set(wheel.namelist())
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"chromagan", f"chromagan-{__version__}.dist-info"}
    assert "chromagan/py.typed" in names
    kinds = {Path(name).suffix for name in names if name.startswith("chromagan/")}
    texts = {".html", ".css", ".js", ".svg", ".md", ".tex", ".txt", ".csv", ".json"}
    assert kinds <= texts | {".py", ".typed", ".safetensors"}, kinds
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "chromagan").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == sources


def test_the_source_archive_can_be_tested(archives):
    with tarfile.open(archives[1]) as source:
        names = {name.partition("/")[2] for name in source.getnames()}
    for path in ("pyproject.toml", "README.md", "LICENSE", "tests/test_package.py", "weights/chromagan.safetensors"):
        assert path in names
    assert not any(name.startswith((".ci", ".venv", "site/", "dist/")) for name in names)


@pytest.mark.skipif(find_spec("mkdocs") is None, reason='mkdocs is not installed: pip install ".[docs]"')
def test_the_site_builds_without_a_warning(tmp_path):
    site = tmp_path / "site"
    run("mkdocs", "build", "--strict", "--site-dir", str(site))
    home = (site / "index.html").read_text(encoding="utf-8")
    assert "Colorize your black-and-white photographs" in home
    assert 'href="sampling/"' in home
    assert 'id="chromagan.inference.colorizer.Colorizer"' in (site / "api" / "inference" / "index.html").read_text(
        encoding="utf-8"
    )
    rooms = {path.parent.name for path in (ROOT / "chromagan").glob("*/__init__.py")}
    assert rooms <= {path.name for path in (site / "api").iterdir()}
