"""The Dockerfile's own steps, in a clean virtual environment: `docker build` itself needs a daemon.

What a line of the file does to an image is done to a folder: COPY copies what .dockerignore lets through, RUN runs with
the image's paths moved into the folder, FROM ... AS begins with what the stage before left. Packages of the operating
system and users alone are left out.
"""

import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.apps.studio.conftest import gray_photo

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker" / "Dockerfile"
INDEX = "--extra-index-url https://download.pytorch.org/whl/cpu "
IMAGE_PATHS = re.compile(r"(?<![\w./])/(source|wheel|opt/chromagan)\b")


def instructions():
    """(word, rest) of each instruction, without comments, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = [line.strip() for line in re.sub(r" *\\\n\s*", " ", text).splitlines()]
    return [tuple(line.split(None, 1)) for line in lines if line]


def stages():
    """Each stage by name: what it stands on, and its instructions."""
    found = {}
    for word, rest in instructions():
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            found[name] = current = (base, [])
        else:
            current[1].append((word, rest))
    return found


def whole(target):
    """A target's instructions from its base image on."""
    base, own = stages()[target]
    return (whole(base) if base in stages() else []) + own


def settings(target):
    """What the image is told by words that do nothing to files; the last one counts."""
    return {word: rest for word, rest in whole(target) if word not in ("RUN", "COPY")}


def ignored(path):
    """Whether .dockerignore keeps a file out of the build."""
    out = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        rule = line.strip()
        if not rule or rule.startswith("#"):
            continue
        pattern = rule.lstrip("!")
        names = [place.as_posix() for place in [path, *path.parents][:-1]]
        if pattern.startswith("**/"):  # wherever it lies
            pattern, names = pattern.removeprefix("**/"), [Path(name).name for name in names]
        if any(fnmatch.fnmatch(name, pattern) for name in names):
            out = not rule.startswith("!")
    return out


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_an_image_is_plain_and_safe(target):
    told = settings(target)
    assert told["USER"] not in ("root", "0")
    assert json.loads(told["ENTRYPOINT"]) == ["chromagan"]
    assert json.loads(told["CMD"]) == ["serve", "--host", "0.0.0.0"]
    assert "/health" in told["HEALTHCHECK"]
    assert ("COPY", f"--from={target}-packages /opt/chromagan /opt/chromagan") in whole(target)


def test_the_two_differ_in_pytorch_alone():
    cpu, cuda = (" ".join(rest for _, rest in stages()[f"{one}-packages"][1]) for one in ("cpu", "cuda"))
    assert cpu.replace(INDEX, "").replace("+cpu", "") == cuda
    pinned = re.search(r"^torch==(.+)$", (ROOT / "tests" / "constraints.txt").read_text(), re.MULTILINE)[1]
    assert f'"torch=={pinned}"' in cuda


def test_what_is_built_from_is_what_the_wheel_needs():
    kept = [path for path in ROOT.rglob("*") if path.is_file() and not ignored(path.relative_to(ROOT))]
    tops = {path.relative_to(ROOT).parts[0] for path in kept}
    assert tops == {"pyproject.toml", "README.md", "LICENSE", "chromagan", "weights", "tests"}
    assert not [path for path in kept if "__pycache__" in path.parts]
    assert [path.name for path in kept if "tests" in path.relative_to(ROOT).parts] == ["constraints.txt"]
    assert ROOT / "weights" / "chromagan.safetensors" in kept


def reachable(url):
    try:
        with urllib.request.urlopen(url, timeout=10):
            return True
    except OSError:
        return False


class Image:
    """A folder that takes what an image would."""

    def __init__(self, root):
        self.root = root
        subprocess.run([sys.executable, "-m", "venv", root / "base"], check=True)
        left_out = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")
        self.environment = {name: value for name, value in os.environ.items() if name not in left_out}
        # Where PyTorch's own index is out of reach, pip's settings on this machine say where its CPU build is.
        self.left_out = "" if reachable(INDEX.split()[1]) else INDEX
        self.environment |= {"PATH": f"{root}/base/bin:{os.environ['PATH']}", "PIP_NO_COMPILE": "1"}

    def moved(self, text):
        return IMAGE_PATHS.sub(lambda found: f"{self.root}/{found[1]}", text.replace(self.left_out, ""))

    def build(self, target):
        base, own = stages()[target]
        if base in stages():
            self.build(base)
        for word, rest in own:
            if word == "COPY" and rest.startswith("--from="):
                stage, source, place = rest.removeprefix("--from=").split()
                assert source == place  # one folder is both
                self.build(stage)
            elif word == "COPY":
                self.copy(rest.split())
            elif word == "RUN" and not rest.startswith("apt-get"):
                done = subprocess.run(
                    self.moved(rest), shell=True, env=self.environment, capture_output=True, text=True
                )
                assert done.returncode == 0, done.stderr[-3000:]

    def copy(self, words):
        *sources, place = words
        for source in map(Path, sources):
            target = Path(self.moved(place)) / (source.name if place.endswith("/") else "")
            files = [path for path in (ROOT / source).rglob("*") if path.is_file()] or [ROOT / source]
            for file in files:
                assert len(files) > 1 or not ignored(source), source
                if not ignored(file.relative_to(ROOT)):
                    to = target / file.relative_to(ROOT / source)
                    to.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, to)

    def words(self, instruction):
        """A command of the image, as it is run here: by the environment that its PATH names first."""
        program, *rest = json.loads(instruction)
        return [f"{self.root}/opt/chromagan/bin/{program}", *rest]


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(os.name == "nt", reason="the image's system is Linux")
def test_the_cpu_image_serves(tmp_path):
    image = Image(tmp_path / "image")
    image.build("cpu")
    told = settings("cpu")
    assert shlex.split(told["ENV"])[0].startswith("PATH=/opt/chromagan/bin:")
    shutil.rmtree(image.root / "source")  # what the last stage has is the environment alone
    health = image.words(told["HEALTHCHECK"].partition("CMD ")[2])
    command = [*image.words(told["ENTRYPOINT"]), *json.loads(told["CMD"])]
    assert subprocess.run(health, stderr=subprocess.DEVNULL).returncode != 0
    with subprocess.Popen(command, env=image.environment, cwd=tmp_path, stdout=subprocess.PIPE) as service:
        until = time.monotonic() + 120
        while subprocess.run(health, stderr=subprocess.DEVNULL).returncode and time.monotonic() < until:
            assert service.poll() is None
            time.sleep(0.5)
        photo = gray_photo(tmp_path / "a.png").read_bytes()
        with urllib.request.urlopen("http://127.0.0.1:7870/colorize", photo) as answer:
            assert answer.read().startswith(b"\x89PNG")
        service.send_signal(signal.SIGTERM)
        service.communicate(timeout=60)
    assert service.returncode == 0
    assert subprocess.run(health, stderr=subprocess.DEVNULL).returncode != 0
    packages = {path.name.partition("-")[0] for path in (image.root / "opt").rglob("*.dist-info")}
    assert {"torch", "fastapi", "chromagan"} <= packages
    assert not packages & {"torchvision", "timm", "pytest"}
    assert not [name for name in packages if name.startswith("nvidia")]
