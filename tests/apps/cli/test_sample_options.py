"""What the command tells, what it leaves out, and where things come from and go."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import chromagan
from chromagan.apps.cli import sample as sample_command
from chromagan.apps.cli.main import main
from chromagan.errors import ModelError

REPOSITORY = Path(chromagan.__file__).parent.parent

pytestmark = pytest.mark.usefixtures("painter")


def sample(*arguments):
    return main(["sample", *map(str, arguments)])


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def test_what_is_passed_over_stands_in_the_summary(album, capsys):
    assert sample("in") == 0
    assert capsys.readouterr().out == (
        "2 colorized, 3 of other kinds passed over (2 .xmp, 1 .dng); output in colorized\n"
    )  # fmt: skip
    assert sample("in", "colorized", "-o", "other") == 0
    assert "2 colorized, 2 of earlier runs passed over" in capsys.readouterr().out
    assert sample(".", "-o", "again", "--no-recursive") == 1  # no photo in that folder itself
    assert "no photos" in capsys.readouterr().err


def test_outputs_of_other_options_are_told_and_stay(album, capsys):
    assert sample("in") == sample("in") == 0
    assert capsys.readouterr().err == ""
    before = Path("colorized/a.jpg").read_bytes()
    assert sample("in", "--saturation", 0.5) == 0
    said = capsys.readouterr()
    assert "2 made before with other options and kept" in said.out
    assert "finished" not in said.out
    assert "--overwrite" in said.err
    assert Path("colorized/a.jpg").read_bytes() == before
    assert sample("in", "--saturation", 0.5, "--overwrite") == 0
    assert Path("colorized/a.jpg").read_bytes() != before


def test_nothing_is_finished_where_the_model_cannot_be_loaded(album, capsys, monkeypatch):
    assert sample("in") == 0
    capsys.readouterr()

    def missing(model):
        raise ModelError(f"there is no model {model!r}")

    monkeypatch.setattr(sample_command, "weights_digest", missing)
    assert sample("in", "--model", "gone") == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "chromagan: error: there is no model 'gone'\n")
    monkeypatch.undo()
    monkeypatch.chdir(album.parent)
    assert sample("in", "--model", "chromagna") == 2  # by the real way
    assert "did you mean" in capsys.readouterr().err


def test_a_dry_run_writes_nothing_but_the_list(album, capsys, painter):
    (album / "broken.png").write_text("no photo")
    assert sample("in", "gone.jpg", "--dry-run", "--compare", "--log", "list.jsonl") == 1
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        *(f"{Path('in', name)} -> {Path('colorized', made)}" for name, made in (
            ("a.jpg", "a.jpg"), ("a.jpg", "a-compare.jpg"), ("broken.png", "broken.png"),
            ("broken.png", "broken-compare.png"), ("sub/b.png", "sub/b.png"), ("sub/b.png", "sub/b-compare.png"),
        )),
        "3 to colorize, 3 of other kinds passed over (2 .xmp, 1 .dng), 1 failed; output in colorized",
    ]  # fmt: skip
    assert "gone.jpg" in said.err
    assert (painter, Path("colorized").exists()) == ([], False)
    assert [line["status"] for line in log("list.jsonl")].count("planned") == 3


def test_a_dry_run_lists_every_file_of_variations(album, capsys):
    assert sample("in/a.jpg", "--dry-run", "--variations", 2, "--layer", "--quiet") == 0
    listed = [line.split(" -> ")[1] for line in capsys.readouterr().out.splitlines()]
    assert listed == [str(Path("colorized", name)) for name in (
        "a.v1.jpg", "a-layer.v1.png", "a.v2.jpg", "a-layer.v2.png", "a-variations.jpg")]  # fmt: skip


def test_a_log_in_the_output_folder_makes_it(album, capsys):
    assert sample("in", "-o", "new/deep", "--log", "new/deep/x.jsonl") == 0
    assert [line["status"] for line in log("new/deep/x.jsonl")].count("done") == 2
    assert Path("new/deep/a.jpg").is_file()
    assert sample("in", "-o", "other", "--log", "mistyped/x.jsonl") != 0
    assert not Path("mistyped").exists()


def test_what_is_typed_goes_before_what_a_file_of_hints_says(album, capsys):
    stroke = '{"kind": "neutral", "points": [[0.5, 0.5]], "radius": 0.1}'
    Path("h.json").write_text(f'{{"version": 3, "strokes": [{stroke}], "settings": {{"saturation": 0.5, "seed": 3}}}}')
    assert sample("in/a.jpg", "--hints", "h.json") == 0
    assert files("colorized") == ["a.v1.jpg"]
    assert capsys.readouterr().err == ""
    assert sample("in/a.jpg", "--hints", "h.json", "--saturation", 1, "--variations", 0) == 0
    assert files("colorized") == ["a.jpg", "a.v1.jpg"]
    (line,) = capsys.readouterr().err.splitlines()
    assert "h.json says saturation 0.5, variations 1, seed 3; the options go before: saturation 1.0" in line


def log(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def test_quiet_tells_errors_alone(album, capsys):
    (album / "broken.png").write_text("no photo")
    assert sample("in", "--quiet") == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert [line.startswith("chromagan: error: ") for line in said.err.splitlines()] == [True]


def test_the_log_lists_what_was_done_skipped_and_failed(album):
    assert sample(album / "a.jpg", "-o", "out") == 0
    (album / "broken.png").write_text("no photo")
    assert sample("in", "gone.jpg", "-o", "out", "--log", "list.jsonl") == 1
    lines = {Path(line["source"]).name: line for line in log("list.jsonl")}
    assert {name: line["status"] for name, line in lines.items()} == {
        "gone.jpg": "failed", "a.jpg": "skipped", "a.xmp": "passed over", "c.dng": "passed over",
        "b.xmp": "passed over", "b.png": "done", "broken.png": "failed",
    }  # fmt: skip
    assert lines["b.png"]["outputs"] == [str(Path("out/sub/b.png"))]
    assert "no such file" in lines["gone.jpg"]["error"]
    assert "broken.png" in lines["broken.png"]["error"]
    assert lines["a.jpg"]["reason"] == "finished before"


@pytest.mark.parametrize(("name", "code", "words"), [("photo.jpg", 2, "is a photo"), ("no/list.jsonl", 1, "cannot be"),
                                                     ("in", 1, "cannot be"), ("-", 2, "no file")])  # fmt: skip
def test_logs_that_cannot_be(album, capsys, name, code, words):
    assert sample("in", "--log", name) == code
    assert words in capsys.readouterr().err
    assert not Path("colorized").exists()
    assert not Path("-").exists()


@pytest.mark.parametrize(("arguments", "words"), [([""], "one of the inputs is an empty name"),
                                                  (["in", ""], "one of the inputs is an empty name"),
                                                  (["in", "-o", ""], "-o is an empty name"),
                                                  (["in", "--reference", "no.jpg"], "--reference no.jpg: there is no"),
                                                  (["in", "--reference", "in"], "--reference in: there is no"),
                                                  (["--reference", "in/a.jpg", "in"], "name the photos")])  # fmt: skip
def test_names_that_went_astray(album, capsys, painter, arguments, words):
    assert sample(*arguments) == 2
    said = capsys.readouterr().err
    assert (words in said, said.count("\n"), painter, Path("colorized").exists()) == (True, 1, [], False)


def test_a_link_that_leads_nowhere_is_told_as_one_in_a_folder_too(album, capsys):
    (album / "link.jpg").symlink_to("gone.jpg")
    assert (sample("in"), sample("in/link.jpg")) == (1, 1)
    assert capsys.readouterr().err.count("link to a file that is not there; mend the link") == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_log_in_a_pipe_waits_for_nobody(album, capsys):
    os.mkfifo("pipe")
    assert sample("in", "--log", "pipe") == 1
    assert "cannot be written" in capsys.readouterr().err
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert sample("in", "--log", "pipe") == 0
    assert {json.loads(line)["status"] for line in os.read(reader, 1 << 16).splitlines()} == {"done", "passed over"}
    os.close(reader)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_log_on_a_full_disk_loses_the_list_alone(album, capsys):
    assert sample("in", "--log", "/dev/full") == 0
    said = capsys.readouterr()
    assert said.err.count("--log /dev/full") == 1
    assert len(files("colorized")) == 2


def test_suffix_exclude_and_the_own_folder(album, capsys):
    assert sample("in", "--suffix", "_colour", "--exclude", "sub", "--exclude", "*.dng") == 0
    assert [name for name in files("in") if "colour" in name] == ["a_colour.jpg"]
    assert "output beside the photos" in capsys.readouterr().out
    assert sample("in", "--suffix=-c", "-o", "out") == 0
    assert files("out") == ["a-c.jpg", "sub/b-c.png"]
    assert "1 of earlier runs passed over" in capsys.readouterr().out
    for suffix in ("a/b", "\\x", "a\nb"):
        assert sample("in", f"--suffix={suffix}") == 2


def test_the_date_of_the_file_is_kept_on_request(album):
    os.utime(album / "a.jpg", (1e9, 1.2e9))
    assert sample(album / "a.jpg", "-o", "new") == 0
    assert abs(os.stat("new/a.jpg").st_mtime - time.time()) < 1e6
    assert sample(album / "a.jpg", "-o", "old", "--keep-date", "--compare") == 0
    assert {os.stat(Path("old", name)).st_mtime for name in files("old")} == {1.2e9}


@pytest.mark.parametrize("name", ["jpg", "JPEG", ".jpg", "tif", "heic", "jpe"])
def test_formats_by_their_endings(name):
    assert sample_command.format_name(name) == {"tif": "tiff", "heic": "heif"}.get(name, "jpeg")


def test_devices_and_formats(album, painter, capsys):
    assert sample(album / "a.jpg", "--device", "cuda:1", "--format", "jpg") == 0
    assert painter[0][1] == "cuda:1"
    for wrong in (["--device", "cuda:x"], ["--device", "gpu"], ["--format", "gif"], ["--format", "jgp"]):
        with pytest.raises(SystemExit) as ended:
            sample(album / "a.jpg", *wrong)
        assert ended.value.code == 2
        assert repr(wrong[1]) in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "words", "usage"), [
    ("sample x --ouput y", "did you mean --out?", "chromagan sample"),
    ("sample x --satuation=1", "did you mean --saturation?", "chromagan sample"),
    ("zoo --markdwon", "did you mean --markdown?", "chromagan zoo"), ("zoo a b", "too many: 'b'", "chromagan zoo"),
    ("sampel x", "did you mean sample?", "chromagan"), ("--verison", "did you mean --version?", "chromagan"),
    ("sample --suffix -c", "--suffix=-colour", "chromagan sample"),
    ("sample x --\x1b[2J", r"\x1b[2J", "chromagan sample"),
])  # fmt: skip
def test_what_is_mistyped_is_told_under_the_usage_of_its_command(capsys, arguments, words, usage):
    with pytest.raises(SystemExit) as ended:
        main(arguments.split())
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.startswith(f"usage: {usage}")
    assert usage != "chromagan" or not said.startswith("usage: chromagan sample")


def test_a_file_that_looks_like_an_option(album, capsys):
    Path("-x.jpg").write_bytes((album / "a.jpg").read_bytes())
    with pytest.raises(SystemExit):
        sample("-x.jpg")
    assert f".{os.sep}-x.jpg" in capsys.readouterr().err
    assert sample(f".{os.sep}-x.jpg") == 0


def test_help_is_in_groups(capsys):
    with pytest.raises(SystemExit):
        sample("--help")
    said = capsys.readouterr().out
    for group in ("what is colorized:", "how:", "what is written:", "what is told:"):
        assert f"\n{group}\n" in said
    assert max(map(len, said.splitlines())) <= 120


def test_names_with_control_characters_forge_no_lines(album, capsys):
    forged = "x\nchromagan: error: forged\x1b[2J\u202egpj.png"
    (album / forged).write_text("no photo")
    assert sample("in", f"gone{forged}", "--log", "list.jsonl") == 1
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 2
    assert all(line.startswith(("chromagan: error: in", "chromagan: error: gone")) for line in said.err.splitlines())
    assert not set("\x1b\u202e") & set(said.err + said.out)
    assert r"\nchromagan: error: forged\x1b[2J\u202egpj.png" in said.err
    assert [Path(line["source"]).name for line in log("list.jsonl") if line["status"] == "failed"].count(forged) == 1
    (album / forged).write_bytes((album / "a.jpg").read_bytes())
    assert sample("in", "--dry-run", "-o", "out\nof") == 0
    assert not set("\x1b\u202e") & set(capsys.readouterr().out)


def test_a_rerun_removes_what_killed_ones_left_and_nothing_of_others(album):
    out = Path("colorized")
    code = ("import os, signal\nfrom chromagan.files.atomic import moved_into_place\n"
            "with moved_into_place('colorized/a.jpg') as path:\n    path.write_bytes(b'half')\n    {}")  # fmt: skip
    out.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    kill = code.format(f"os.kill(os.getpid(), {int(signal.SIGKILL)})")
    subprocess.run([sys.executable, "-c", kill], env=environment, check=False)
    alive = subprocess.Popen(
        [sys.executable, "-c", code.format("print(flush=True); input()")],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    alive.stdout.readline()
    (out / ".chromagan-0a1b2c.tmp").write_text("of an earlier version")
    os.utime(out / ".chromagan-0a1b2c.tmp", (0, 0))
    (out / ".chromagan-00000000-1-ab.tmp").write_text("of another machine")
    assert len(list(out.glob(".chromagan-*.tmp"))) == 4
    assert sample("in") == 0
    left = {path.name for path in out.glob(".chromagan-*.tmp")}
    alive.communicate(b"\n")
    assert len(left) == 2
    assert ".chromagan-00000000-1-ab.tmp" in left


def test_libraries_in_c_say_nothing_and_the_command_does(album):
    """libjpeg, libpng and the like write to descriptor 2 themselves."""
    program = (
        "import os, sys, warnings\nfrom chromagan.apps.cli import words\n"
        "with words.lossy('stderr'), words.logged(), words.quiet_decoders(wholly=True):\n"
        "    os.write(2, b'Corrupt JPEG data\\n'); warnings.warn('of a library', UserWarning)\n"
        "    import logging; logging.getLogger('chromagan.x').warning('ours')\n"
        "os.write(2, b'after\\n'); print('end', file=sys.stderr)"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == "chromagan: ours\nafter\nend\n"


@pytest.mark.parametrize("debug", [True, False])
def test_what_nobody_foresaw_is_one_line(album, capsys, monkeypatch, debug):
    def broken(*arguments):
        raise RuntimeError("two\nlines\x1b[2J")

    monkeypatch.setattr(sample_command, "_plan", broken)
    assert sample("in", *(["--debug"] if debug else [])) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(r"chromagan: error: unexpected RuntimeError: two lines\x1b[2J")
    assert ("Traceback (most recent call last):" in lines) == debug == (len(lines) > 1)


@pytest.mark.process
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of memory are Linux'")
@pytest.mark.parametrize("mebibytes", [200, 600])
def test_too_little_memory_to_start_is_one_line(album, mebibytes):
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({mebibytes << 20},) * 2)\n"
    run = "import sys; from chromagan.apps.cli.main import main; sys.exit(main(['sample', 'in', '--device', 'cpu']))"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", limit + run], env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("chromagan: error: there is too little memory")
    assert "close other programs" in line
