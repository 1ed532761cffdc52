"""What a run folder goes on from, and what it refuses: damage, other processes, other configurations, moved inputs."""

import json
import math
import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch

import chromagan
from chromagan.errors import DataError, TrainingError, UsageError, WriteError
from chromagan.training import checkpoint
from chromagan.training.checkpoint import load_state, read_state, save_state, state_files
from chromagan.training.config import from_preset
from chromagan.training.run_folder import RunFolder, read_saved, read_stats


@pytest.fixture(autouse=True)
def _no_tensorboard(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(6):
        small = np.random.default_rng(i).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{i}.png"), cv2.resize(small, (44, 40), interpolation=cv2.INTER_CUBIC))
    return folder


def config(photos, **given):
    plain = {
        "data": [str(photos)], "model": "tiny_for_folders", "class_weight": 0.0, "adversarial_weight": 0.0, "size": 32,
        "batch_size": 2, "images": 12, "warmup": 0, "workers": 0, "precision": "float32", "no_pretrained": True,
    }  # fmt: skip
    return from_preset("default", **{**plain, **given})


def train(config, out, **given):
    return chromagan.train(config, out, "cpu", 4, **given)[0]


def weights(run):
    return torch.cat([tensor.flatten().double() for tensor in run.generator.state_dict().values()])


def flip(path, place=0.5):
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 0x10
    path.write_bytes(data)


def cut(path):
    path.write_bytes(path.read_bytes()[:-700])


def other_shape(path):
    state = read_state(path)
    state["ema"]["tensors"]["body.0.weight"] = torch.zeros(1)
    save_state(path.parent, state)


def other_moments(path):
    state = read_state(path)
    for moments in state["optimizer"]["state"].values():
        moments["exp_avg"] = torch.zeros(3, 7)
    save_state(path.parent, state)


def no_state(path):
    torch.save([1, 2], path)


def no_keys(path):
    torch.save({"images": 12}, path)


@pytest.mark.parametrize("damage", [flip, cut, other_shape, other_moments, no_state, no_keys])
def test_a_damaged_newest_state_is_told_and_the_one_before_serves_to_the_bit(photos, tmp_path, caplog, damage):
    whole = train(config(photos), tmp_path / "whole")
    train(config(photos), tmp_path / "run", stop_at=8)
    damage(state_files(tmp_path / "run")[-1])
    caplog.clear()
    run = train(config(photos), tmp_path / "run")
    told = [line for line in caplog.messages if "going on from state-000000004.pt" in line]
    assert len(told) == 1
    assert "state-000000008.pt" in told[0]
    assert "\n" not in told[0]
    assert torch.equal(weights(run), weights(whole))
    assert [line["images"] for line in read_stats(tmp_path / "run")] == [4, 8, 12]


@pytest.mark.parametrize("place", [0.01, 0.2, 0.6, 0.9, 0.999])
def test_one_changed_bit_anywhere_is_seen(photos, tmp_path, place):
    train(config(photos, images=4), tmp_path / "run")
    file = state_files(tmp_path / "run")[-1]
    read_state(file)
    flip(file, place)
    with pytest.raises(TrainingError, match="damaged run state"):
        read_state(file)


def test_no_whole_state_is_an_error_and_not_a_new_run(photos, tmp_path):
    train(config(photos), tmp_path / "run", stop_at=8)
    for path in state_files(tmp_path / "run"):
        flip(path)
    with pytest.raises(TrainingError, match=r"state-000000008.pt: damaged.*neither can the 1 before it"):
        train(config(photos), tmp_path / "run")
    assert len(state_files(tmp_path / "run")) == 2


def test_a_state_without_a_digest_is_one_of_before(photos, tmp_path):
    train(config(photos, images=4), tmp_path / "run")
    file = state_files(tmp_path / "run")[-1]
    state = read_state(file)
    torch.save(state, file)
    assert load_state(tmp_path / "run")["images"] == state["images"] == 4


@pytest.mark.parametrize("content", [b"", b'{"a', b"\xff\xfe\x00", b"[1]", b"[" * 100_000])
def test_a_configuration_that_is_none_is_one_line(photos, tmp_path, content):
    train(config(photos), tmp_path / "run", stop_at=4)
    (tmp_path / "run" / "config.json").write_bytes(content)
    with pytest.raises(TrainingError, match=r"config.json: not a") as caught:
        train(config(photos), tmp_path / "run")
    assert "\n" not in str(caught.value)


def test_a_log_that_is_no_text_is_told_and_the_rest_kept(photos, tmp_path, caplog):
    train(config(photos), tmp_path / "run", stop_at=8)
    file = tmp_path / "run" / "stats.jsonl"
    good = file.read_bytes()
    file.write_bytes(b"\xff\x00\x01 binary\n" + good + b'{"images": 8, "chr')
    train(config(photos), tmp_path / "run")
    assert sum("stats.jsonl: 1 lines are no log lines" in line for line in caplog.messages) == 1
    assert [line["images"] for line in read_stats(tmp_path / "run")] == [4, 8, 12]


def test_the_log_is_json_where_a_figure_is_no_number(photos, tmp_path):
    folder = RunFolder(tmp_path / "run", config(photos), boards=False)
    folder.start(0)
    folder.log(4, {"val/psnr": math.inf, "val/fid": math.nan, "chroma": 1.0})
    text = (tmp_path / "run" / "stats.jsonl").read_text()
    folder.close()
    assert json.loads(text, parse_constant=pytest.fail) == {
        "images": 4, "val/psnr": None, "val/fid": None, "chroma": 1.0,
    }  # fmt: skip


@pytest.mark.parametrize("after", [0, 5000])
def test_a_full_disk_in_a_checkpoint_is_one_line_and_leaves_no_half(photos, tmp_path, monkeypatch, after):
    train(config(photos), tmp_path / "run", stop_at=4)

    class Full(checkpoint._Hashed):
        def write(self, data):
            if self.file.tell() >= after:
                self.error = OSError(28, "No space left on device")
                raise self.error
            return super().write(data)

    monkeypatch.setattr(checkpoint, "_Hashed", Full)
    with pytest.raises(WriteError, match=r"state-000000008.pt: cannot be written: the disk is full") as caught:
        train(config(photos), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "run").glob(".chromagan-*"))
    monkeypatch.undo()
    whole = train(config(photos), tmp_path / "whole")
    assert torch.equal(weights(train(config(photos), tmp_path / "run")), weights(whole))


def test_what_a_killed_write_left_is_removed(photos, tmp_path):
    train(config(photos), tmp_path / "run", stop_at=4)
    (tmp_path / "run" / ".chromagan-0123456789ab.tmp").write_bytes(b"half")
    train(config(photos), tmp_path / "run")
    assert not list((tmp_path / "run").glob(".chromagan-*"))


LOCKED = """
import sys, time
from pathlib import Path
from chromagan.training.config import from_preset
from chromagan.training.run_folder import RunFolder
folder = RunFolder(Path(sys.argv[1]), from_preset("default"), boards=False)
folder.start(0)
print("there", flush=True)
time.sleep(600)
"""


@pytest.mark.process
def test_a_second_process_in_the_folder_is_refused_until_the_first_has_ended(tmp_path, monkeypatch):
    first = subprocess.Popen([sys.executable, "-c", LOCKED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout.readline() == "there\n"
        with pytest.raises(TrainingError, match="another process trains there; wait for it to end"):
            RunFolder(tmp_path, from_preset("default"), boards=False)
        monkeypatch.setenv("SLURM_NTASKS", "4")
        monkeypatch.delenv("WORLD_SIZE", raising=False)
        with pytest.raises(TrainingError, match="let srun start one task a machine, and torchrun in it"):
            RunFolder(tmp_path, from_preset("default"), boards=False)
        RunFolder(tmp_path, from_preset("default"), writes=False, boards=False)  # other ranks only read
    finally:
        first.kill()
        first.wait()
    RunFolder(tmp_path, from_preset("default"), boards=False).close()


@pytest.mark.parametrize("wrong", [{"size": 64, "model_option": ["wdth=8"]}, {"min_chroma": 150.0}, {"data": ["no"]}])
def test_a_failed_start_leaves_the_folder_to_the_corrected_command(photos, tmp_path, wrong):
    with pytest.raises((DataError, UsageError)):
        train(config(photos, **wrong), tmp_path / "run")
    assert not (tmp_path / "run" / "config.json").exists()
    assert train(config(photos), tmp_path / "run").images == 12


def test_a_start_that_was_killed_before_its_first_state_blocks_nothing(photos, tmp_path):
    folder = RunFolder(tmp_path / "run", config(photos, seed=5), boards=False)
    folder.start(0)
    folder.close()
    assert train(config(photos), tmp_path / "run").images == 12
    assert read_saved(tmp_path / "run")["seed"] == 0


def test_a_run_is_lengthened_on_purpose_and_equals_a_long_one_where_nothing_depended_on_it(photos, tmp_path, caplog):
    long = train(config(photos, images=20, decay=0.25), tmp_path / "long")
    train(config(photos, images=12, decay=0.25), tmp_path / "run", stop_at=8)
    with pytest.raises(TrainingError, match=r"images: 12 there, 20 now.*--allow-changes images"):
        train(config(photos, images=20, decay=0.25), tmp_path / "run")
    run = train(config(photos, images=20, decay=0.25), tmp_path / "run", allow_changes=["images"])
    assert any("images 12 -> 20: so far nothing depended on it" in line for line in caplog.messages)
    assert torch.equal(weights(run), weights(long))
    assert read_saved(tmp_path / "run")["schedule"]["images"] == 20
    assert {"images": 8, "changed": {"images": [12, 20]}} in read_stats(tmp_path / "run")


def test_where_exactness_ends_is_said(photos, tmp_path, caplog):
    train(config(photos), tmp_path / "run")
    run = train(config(photos, images=16, lr=1e-3), tmp_path / "run", allow_changes=["images", "lr"])
    assert run.images == 16
    told = [line for line in caplog.messages if "goes on at 12 photographs with" in line]
    assert len(told) == 1
    assert "from here on it equals no run that began with these options" in told[0]


def test_what_a_state_holds_is_not_changed_even_on_purpose(photos, tmp_path):
    train(config(photos, images=4), tmp_path / "run")
    with pytest.raises(TrainingError, match=r"optimizer: 'adam' there, 'sgd' now\); choose another --out$"):
        train(config(photos, images=4, optimizer="sgd"), tmp_path / "run")
    with pytest.raises(TrainingError, match=r"--allow-changes optimizer: a run keeps"):
        train(config(photos, images=4, optimizer="sgd"), tmp_path / "run", allow_changes=["optimizer"])
    with pytest.raises(UsageError, match="--allow-changes nonsense: there is no such option"):
        train(config(photos, images=4), tmp_path / "run", allow_changes=["nonsense"])


def test_moved_photographs_are_known_and_other_ones_are_not(photos, tmp_path, caplog):
    caplog.set_level("INFO")
    whole = train(config(photos), tmp_path / "whole")
    train(config(photos), tmp_path / "run", stop_at=8)
    moved = tmp_path / "elsewhere" / "deep"
    shutil.copytree(photos, moved)
    run = train(config(moved), tmp_path / "run")
    assert any("--data" in line and "it holds what it held before" in line for line in caplog.messages)
    assert torch.equal(weights(run), weights(whole))
    (photos / "0.png").rename(photos / "z.png")
    with pytest.raises(TrainingError, match="--allow-changes data"):
        train(config(photos, images=16), tmp_path / "run", allow_changes=["images"])


def test_photographs_that_vanished_between_starts_are_told(photos, tmp_path, caplog):
    train(config(photos), tmp_path / "run", stop_at=8)
    (photos / "3.png").unlink()
    assert train(config(photos), tmp_path / "run").images == 12
    told = [line for line in caplog.messages if line.startswith("--data: no longer what it was")]
    assert len(told) == 1
    assert "6 photographs" in told[0]
    assert "5 photographs" in told[0]


def test_free_options_that_change_are_written_down(photos, tmp_path):
    train(config(photos), tmp_path / "run", stop_at=4)
    train(config(photos, eval_limit=7), tmp_path / "run")
    assert read_saved(tmp_path / "run")["exam"]["eval_limit"] == 7


@pytest.mark.skipif(sys.platform != "linux", reason="names that are not UTF-8")
def test_names_that_are_not_utf8_train_and_go_on(photos, tmp_path):
    os.rename(photos, os.fsencode(tmp_path) + b"/f\xf6tos")
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/f\xf6tos")
    os.rename(os.path.join(folder, "0.png"), os.fsencode(folder) + b"/\xff.png")
    out = os.fsdecode(os.fsencode(tmp_path) + b"/r\xfcn")
    train(config(folder), out, stop_at=8)
    assert train(config(folder), out).images == 12
    names = tmp_path / "list.txt"
    names.write_bytes(b"".join(os.fsencode(os.path.join(folder, name)) + b"\n" for name in sorted(os.listdir(folder))))
    assert train(config(names), tmp_path / "listed").images == 12


def test_weights_and_biases_ids_differ_for_folders_of_one_name(photos, tmp_path, monkeypatch):
    given = []
    made = type("Run", (), {"log": lambda *_, **__: None, "finish": lambda _: None})
    fake = type("wandb", (), {"init": staticmethod(lambda **options: given.append(options["id"]) or made())})
    monkeypatch.setitem(sys.modules, "wandb", fake)
    for place in ("a", "b", "a"):
        train(config(photos, wandb="project", images=4), tmp_path / place / "run")
    assert given[0] == given[2] != given[1]


def test_a_batch_that_changes_on_purpose_goes_on_from_the_same_place(photos, tmp_path, caplog):
    train(config(photos), tmp_path / "run", stop_at=8)
    run = train(config(photos, batch_size=4), tmp_path / "run", allow_changes=["batch_size"])
    assert (run.images, run.stream.seen) == (12, 12)
    assert any("batch_size 2 -> 4: from here on" in line for line in caplog.messages)


def test_what_is_allowed_and_seldom_meant_is_said(photos, tmp_path, caplog):
    train(config(photos, warmup=50, val=str(photos), eval_every=0), tmp_path / "run")
    told = [line for line in caplog.messages if line.startswith("--")]
    assert [line.split()[0] for line in told] == ["--warmup", "--val"]
    assert "50 is longer than the run of 12 photographs" in told[0]
    assert "6 of its photographs are in --data too" in told[1]


def test_fifty_broken_files_first_in_the_folder_do_not_stop_a_run(photos, tmp_path):
    for i in range(50):
        (photos / f"0{i:03d}.jpg").write_bytes(b"broken")
    run = train(config(photos, val=str(photos), eval_every=0), tmp_path / "run")
    assert run.images == 12
    assert run.stream.unreadable > 0
