"""How plug-ins are installed and call the command, here programs of a few lines that do as the real one does."""

import json
import os
import subprocess
import sys
import time

import pytest

from tests.adapters.plug_ins import ADAPTERS, installed, loaded

# What it was started with, into a file beside the photo; the photo is its own coloured one.
OBEDIENT = """
import json, os, pathlib, sys
pathlib.Path("out").mkdir()
pathlib.Path("out/photo.png").write_bytes(pathlib.Path("photo.png").read_bytes())
pathlib.Path("asked.json").write_text(json.dumps([sys.argv[1:], dict(os.environ)]))
"""
REFUSING = """
import sys
print("chromagan: warning: something", file=sys.stderr)
print("chromagan: error: photo.png: every pixel is white; give a photo with grays", file=sys.stderr)
sys.exit(1)
"""
pytestmark = pytest.mark.process


@pytest.fixture
def command(tmp_path):
    """A folder with a photo, and the module that calls a program of a few lines."""
    photo = tmp_path / "a photo"
    photo.mkdir()
    (photo / "photo.png").write_bytes(b"pixels")

    def calling(program, words=(sys.executable, "-c")):
        place = installed("krita", tmp_path / "plug-ins", [*words, program])
        return loaded(place / "chromagan_command.py", "chromagan_command_alone"), photo

    return calling


def test_options_and_hints_go_along(command, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/the/host's")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/the/host's")
    module, folder = command(OBEDIENT)
    (folder / "hints.png").write_bytes(b"pixels")
    module.colorize(folder, model="chromagan@small", saturation=1.5, warmth=-0.2)
    words, environment = json.loads((folder / "asked.json").read_text())
    assert words[:8] == ["sample", "photo.png", "-o", "out", "--format", "png", "--layer", "--quiet"]
    assert words[8:] == ["--model=chromagan@small", "--saturation=1.5", "--warmth=-0.2", "--hints", "hints.png"]
    assert not {"PYTHONHOME", "LD_LIBRARY_PATH"} & set(environment)
    assert environment["PATH"] == os.environ["PATH"]


def test_what_the_command_says_is_what_the_user_reads(command):
    module, folder = command(REFUSING)
    with pytest.raises(module.CommandFailed) as told:
        module.colorize(folder)
    assert str(told.value) == "chromagan: error: the photo: every pixel is white; give a photo with grays"


def test_hints_that_do_not_do_are_the_layer(command):
    module, folder = command("import sys; sys.exit('chromagan: error: --hints hints.png: nothing is painted on it')")
    with pytest.raises(module.CommandFailed, match="^chromagan: error: the layer hints: nothing is painted on it$"):
        module.colorize(folder)


def test_a_command_that_says_nothing(command):
    module, folder = command("import sys; sys.exit(3)")
    with pytest.raises(module.CommandFailed, match="exit code 3"):
        module.colorize(folder)


def test_it_ends_when_the_host_does_not_want_it_any_more(command):
    module, folder = command("import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(99)")

    def tick():
        if (folder / "pid").exists() and (folder / "pid").read_text():
            raise KeyboardInterrupt

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        module.colorize(folder, tick)
    assert time.monotonic() - begun < 90
    if sys.platform != "win32":
        with pytest.raises(ProcessLookupError):
            os.kill(int((folder / "pid").read_text()), 0)


def test_a_command_that_is_not_there(command, monkeypatch):
    module, folder = command("", words=["/no/such/python"])
    with pytest.raises(module.CommandFailed, match=r"run its adapters/install\.py"):
        module.colorize(folder)
    module.SAID.unlink()
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(module.CommandFailed, match="is not there"):
        module.colorize(folder)


def install(*words, **changed):
    command = [sys.executable, str(ADAPTERS / "install.py"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **changed})


@pytest.mark.skipif(sys.platform != "linux", reason="the folders of Linux")
def test_each_host_has_its_folder(tmp_path):
    (tmp_path / "GIMP" / "3.2").mkdir(parents=True)
    (tmp_path / "GIMP" / "2.10").mkdir()
    done = install("gimp", XDG_CONFIG_HOME=str(tmp_path), PYTHONPATH=str(ADAPTERS.parent))
    assert done.returncode == 0, done.stderr
    place = tmp_path / "GIMP" / "3.2" / "plug-ins" / "chromagan-colorize"
    assert os.access(place / "chromagan-colorize.py", os.X_OK)
    assert json.loads((place / "chromagan_command.json").read_text()) == [sys.executable, "-m", "chromagan"]
    done = install("krita", XDG_DATA_HOME=str(tmp_path), PYTHONPATH=str(ADAPTERS.parent))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "krita" / "pykrita" / "chromagan_colorize.desktop").exists()
    assert (tmp_path / "krita" / "pykrita" / "chromagan_colorize" / "chromagan_command.py").exists()


def test_wrong_use_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    done = install("krita", "--to", tmp_path / "file", PYTHONPATH=str(ADAPTERS.parent))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("install.py: error: cannot copy the plug-in: ")
    command = [sys.executable, "-I", "-S", str(ADAPTERS / "install.py"), "gimp", "--to", str(tmp_path / "other")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "has no chromagan: install it there" in done.stderr
    assert not (tmp_path / "other").exists()
