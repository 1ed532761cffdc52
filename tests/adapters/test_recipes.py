"""The lines of adapters/README.md do what they say; darktable's script with a stand-in for darktable, in Lua itself."""

import os
import re
import shlex
import shutil
import subprocess
import sys

import cv2
import pytest

from chromagan.images.metadata import read_provenance
from tests.adapters.plug_ins import ADAPTERS, START, scene

README = (ADAPTERS / "README.md").read_text(encoding="utf-8")
LINES = re.findall(r"^```sh\n(.+?)\n```", README, re.MULTILINE | re.DOTALL)
LUA = shutil.which("lua") or shutil.which("lua5.4") or shutil.which("lua5.3")
pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform == "win32", reason="the recipes are for sh")]

DARKTABLE = """
local told = io.open(arg[1], "w")
local image = { filename = "o'ld photo.nef", path = arg[2] }
package.loaded.darktable = {
  configuration = { running_os = "linux" },
  print = function(line) told:write("said ", line, "\\n") end,
  control = { execute = function(line) local _, _, code = os.execute(line) return code end },
  database = { import = function(path)
    told:write("imported ", path, "\\n")
    return { group_with = function(_, other) told:write("grouped with ", other.filename, "\\n") end }
  end },
  register_storage = function(id, name, store, finalize)
    assert(id == "chromagan" and name == "colorize with chromagan" and store == nil)
    finalize(nil, { [image] = arg[3] }, {})
  end,
}
dofile(arg[4])
told:close()
"""


@pytest.fixture
def shell(tmp_path):
    """Runs a line where `chromagan` is found, and a `darktable-cli` that copies, as an export without edits does."""
    bin = tmp_path / "bin"
    bin.mkdir()
    commands = {"chromagan": f'exec {sys.executable} -c {shlex.quote(START)} "$@"', "darktable-cli": 'cp "$1" "$2"'}
    for name, line in commands.items():
        (bin / name).write_text(f"#!/bin/sh\n{line}\n")
        (bin / name).chmod(0o755)

    def run(*words, **variables):
        paths = {"PATH": f"{bin}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            list(words), cwd=tmp_path, capture_output=True, text=True, env={**os.environ, **paths, **variables}
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def test_every_recipe_is_tried():
    assert [line.split()[0] for line in LINES] == ["chromagan", "darktable-cli", "chromagan"]


def test_digikam(shell, tmp_path):
    (tmp_path / "my album").mkdir()
    photo, output = tmp_path / "my album" / "it's old.png", tmp_path / "my album" / "BatchTool-x.digikamtempfile.png"
    cv2.imwrite(str(photo), scene(30, 40))
    output.touch()  # digiKam makes it, to keep the name
    line = LINES[0].replace("$INPUT", f'"{photo}"').replace("$OUTPUT", f'"{output}"')  # as digiKam does
    shell("/bin/sh", "-c", line)
    assert read_provenance(output).model == "chromagan"
    assert cv2.imread(str(output)).shape == (30, 40, 3)


@pytest.mark.slow
def test_darktable_exports(shell, tmp_path):
    folder = tmp_path / "an export"
    folder.mkdir()
    cv2.imwrite(str(tmp_path / "raw.tif"), scene(30, 40).astype("uint16") * 257)
    shell("/bin/sh", "-c", LINES[1], RAW=str(tmp_path / "raw.tif"), EXPORTED=str(folder / "old photo"))
    made = cv2.imread(str(folder / "old photo_colour.tif"), cv2.IMREAD_UNCHANGED)
    assert (made.shape, made.dtype) == ((30, 40, 3), "uint16")
    shell("/bin/sh", "-c", LINES[2], FOLDER=str(folder))
    assert sorted(path.name for path in folder.iterdir()) == ["old photo.tif", "old photo_colour.tif"]


@pytest.mark.slow
@pytest.mark.skipif(LUA is None, reason="needs Lua: apt-get install lua5.4")
def test_darktable_script(shell, tmp_path):
    (tmp_path / "darktable.lua").write_text(DARKTABLE)
    cv2.imwrite(str(tmp_path / "o'ld photo.png"), scene(30, 40))
    originals = tmp_path / "my photos"
    originals.mkdir()
    words = [tmp_path / "told", originals, tmp_path / "o'ld photo.png", ADAPTERS / "darktable" / "chromagan.lua"]
    shell(LUA, str(tmp_path / "darktable.lua"), *map(str, words))
    output = originals / "o'ld photo_colour.png"
    assert read_provenance(output).model == "chromagan"
    assert (tmp_path / "told").read_text().splitlines() == [
        f"imported {output}", "grouped with o'ld photo.nef", "said o'ld photo_colour.png",
    ]  # fmt: skip
    assert not (tmp_path / "o'ld photo.png").exists()  # the export was a copy
    # One that fails is told, and nothing is imported.
    (tmp_path / "o'ld photo.png").write_bytes(b"no photo")
    shell(LUA, str(tmp_path / "darktable.lua"), *map(str, words))
    assert (tmp_path / "told").read_text().startswith("said chromagan could not colorize o'ld photo.nef")
