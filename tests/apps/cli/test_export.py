"""From a run to a file that sampling takes, to one that training takes, and to an ONNX graph."""

import json

import numpy as np
import pytest
import torch

import chromagan
from chromagan.apps.cli.main import main
from chromagan.errors import UsageError
from chromagan.models.look import Look
from chromagan.models.registry import build_network
from chromagan.pretrained.create import create_model
from chromagan.pretrained.store import read_weights
from chromagan.training.build import build_generator
from chromagan.training.checkpoint import save_state
from chromagan.training.config import from_preset
from chromagan.training.run_folder import RunFolder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return folder, make_run(folder, data=["DATA/shards"], seed=7)


def make_run(folder, shift=0.0, **options):
    """A run folder as training leaves it; returns its averaged network."""
    torch.manual_seed(0)
    network = build_network("chromagan", width=32, classes=10)
    for layer in network.modules():  # statistics of one pass, so that random weights answer to their input
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0
    network(torch.rand(4, 1, 64, 64) * 100)
    with torch.no_grad():
        network.to_ab.bias.add_(shift)
    opened = RunFolder(folder, from_preset("cpu", **options), boards=False)
    opened.start(0)
    opened.close()
    save_state(folder, state_of(network))
    return network.eval()


def state_of(network):
    return {
        "ema": {"steps": 1, "tensors": network.state_dict()}, "images": 16,
        "network": {"name": "chromagan", "config": network.config},
    }  # fmt: skip


def test_file_holds_the_averaged_network_without_its_class_head(run, tmp_path):
    folder, network = run
    file = tmp_path / "out.safetensors"
    assert main(["export", str(folder), "-o", str(file), "--float32", "--size", "192", "--saturation", "1.2"]) == 0
    tensors, card = read_weights(file)
    assert not [name for name in tensors if name.startswith("class_head")]
    assert card.look == Look(192, 1.2)
    assert card.config["classes"] == 0
    assert "--data DATA/shards" in card.command
    assert "--seed 7" in card.command
    L = torch.rand(1, 1, 32, 32) * 100
    assert torch.equal(create_model("chromagan", weights=file).eval()(L).ab, network(L).ab)


def test_the_function_writes_what_the_command_writes(run, tmp_path):
    assert main(["export", str(run[0]), "-o", str(tmp_path / "a.safetensors"), "--size", "192"]) == 0
    done = chromagan.export(source=run[0], out=tmp_path / "b.safetensors", size=192)
    (ours, card), (its, its_card) = (read_weights(tmp_path / f"{name}.safetensors") for name in "ab")
    assert card == its_card
    assert all(torch.equal(its[name], tensor) for name, tensor in ours.items())
    assert done.path == tmp_path / "b.safetensors"
    assert read_weights(done.path)[1].sha256 in done.text()
    with pytest.raises(UsageError, match="--half goes with --onnx"):
        chromagan.export(source=run[0], out="c.safetensors", half=True)
    for out in ("c.pt", "c", "c.onnx"):
        with pytest.raises(UsageError, match=rf"--out {out}: .*safetensors"):
            chromagan.export(source=run[0], out=out)


def test_half_precision_stays_close_and_zeroed_semantics_do_not(run, tmp_path):
    folder, network = run
    L = torch.rand(1, 1, 32, 32) * 100
    truth = network(L).ab
    main(["export", str(folder), "-o", str(tmp_path / "half.safetensors")])
    half = create_model("chromagan", weights=tmp_path / "half.safetensors").eval()(L).ab
    assert (half - truth).abs().max() < 0.02 * truth.abs().max()
    main(["export", str(folder), "-o", str(tmp_path / "zero.safetensors"), "--zero-semantic"])
    zero = create_model("chromagan", weights=tmp_path / "zero.safetensors").eval()(L).ab
    assert (zero - truth).abs().max() > 0.02 * truth.abs().max()


def test_no_run_there(tmp_path, capsys):
    assert main(["export", str(tmp_path), "-o", str(tmp_path / "x.safetensors")]) == 2
    assert "nor a training state" in capsys.readouterr().err
    (tmp_path / "config.json").write_text("{}")
    assert main(["export", str(tmp_path), "-o", str(tmp_path / "x.safetensors")]) == 1
    assert "no training state" in capsys.readouterr().err


def test_the_whole_training_configuration_stands_in_the_file(run, tmp_path):
    folder, _ = run
    main(["export", str(folder), "-o", str(tmp_path / "a.safetensors")])
    extra = read_weights(tmp_path / "a.safetensors")[1].extra
    assert json.loads(extra["training"]) == json.loads((folder / "config.json").read_text())
    assert json.loads(extra["training"])["seed"] == 7
    assert "ancestors" not in extra


def test_class_head_goes_into_a_second_stage(run, tmp_path):
    folder, network = run
    file = tmp_path / "whole.safetensors"
    assert main(["export", str(folder), "-o", str(file), "--keep-class-head"]) == 0
    tensors, card = read_weights(file)
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32, torch.int64}
    assert card.config["classes"] == 10
    started = build_generator(from_preset("cpu", data=["DATA"], init=str(file)))
    assert started.state_dict().keys() == network.state_dict().keys()
    assert all(torch.equal(started.state_dict()[name], tensor) for name, tensor in network.state_dict().items())
    # and from there to inference
    assert main(["export", str(file), "-o", str(tmp_path / "small.safetensors"), "--size", "160"]) == 0
    small, its_card = read_weights(tmp_path / "small.safetensors")
    assert not [name for name in small if name.startswith("class_head")]
    assert its_card.look == Look(160)
    assert its_card.extra == card.extra
    assert its_card.command == card.command


def test_a_head_that_is_not_there_cannot_be_kept(run, tmp_path, capsys):
    main(["export", str(run[0]), "-o", str(tmp_path / "a.safetensors")])
    code = main(["export", str(tmp_path / "a.safetensors"), "-o", str(tmp_path / "b.safetensors"), "--keep-class-head"])
    assert code == 2
    assert "has no class head" in capsys.readouterr().err


def test_ancestors_are_recorded_through_generations(run, tmp_path, capsys):
    files, source = [], run[0]
    for generation in range(3):
        files.append(tmp_path / f"{generation}.safetensors")
        assert main(["export", str(source), "-o", str(files[-1])]) == 0
        source = tmp_path / f"run-{generation}"
        make_run(source, shift=generation + 1.0, data=["DATA"], init=str(files[-1]))
    cards = [read_weights(file)[1] for file in files]
    assert json.loads(cards[1].extra["ancestors"]) == [cards[0].sha256]
    assert json.loads(cards[2].extra["ancestors"]) == [cards[1].sha256, cards[0].sha256]
    assert len({card.sha256 for card in cards}) == 3
    files[2].unlink()
    capsys.readouterr()
    assert main(["export", str(source), "-o", str(tmp_path / "late.safetensors")]) == 0
    assert "no longer there" in capsys.readouterr().err


def test_checkpoints_by_name(tmp_path, capsys):
    latest = make_run(tmp_path / "run", data=["DATA"])
    best = build_network("chromagan", width=32, classes=10)
    torch.save(state_of(best), tmp_path / "run" / "best.pt")
    torch.save(state_of(best), tmp_path / "elsewhere.pt")

    def exported(which):
        file = tmp_path / "x.safetensors"
        code = main(["export", str(tmp_path / "run"), "-o", str(file), "--float32", "--checkpoint", which])
        return read_weights(file)[0]["to_ab.weight"] if code == 0 else capsys.readouterr().err

    assert torch.equal(exported("latest"), latest.to_ab.weight)
    for which in ("best", "best.pt", str(tmp_path / "elsewhere.pt")):
        assert torch.equal(exported(which), best.to_ab.weight)
    assert "there is no such checkpoint" in exported("nothing.pt")
    (tmp_path / "broken.pt").write_bytes(b"no checkpoint")
    assert "damaged run state" in exported(str(tmp_path / "broken.pt"))
    torch.save({"a": 1}, tmp_path / "other.pt")
    assert "is not a checkpoint of chromagan train" in exported(str(tmp_path / "other.pt"))
    (tmp_path / "run" / "best.pt").unlink()
    assert "there is no such checkpoint" in exported("best")


def test_onnx_of_a_run_and_of_its_file(run, tmp_path, capsys):
    for library in ("onnx", "onnxscript"):
        pytest.importorskip(library)
    onnxruntime = pytest.importorskip("onnxruntime")
    folder, network = run
    assert main(["export", str(folder), "-o", str(tmp_path / "run.onnx"), "--onnx", "--size", "144"]) == 0
    assert "Lab units of the network's" in capsys.readouterr().err
    session = onnxruntime.InferenceSession(str(tmp_path / "run.onnx"), providers=["CPUExecutionProvider"])
    L = torch.rand(2, 1, 37, 54) * 100
    (ab,) = session.run(None, {"L": L.numpy()})
    with torch.no_grad():
        assert np.abs(ab - network(L).ab.numpy()).max() < 1e-3
    told = session.get_modelmeta().custom_metadata_map
    assert Look.from_dict(json.loads(told["look"])) == Look(144)
    assert json.loads(told["config"])["classes"] == 0
    assert len(told["sha256"]) == 64
    main(["export", str(folder), "-o", str(tmp_path / "run.safetensors"), "--float32"])
    assert told["sha256"] == read_weights(tmp_path / "run.safetensors")[1].sha256


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-o", "a.safetensors", "--onnx"], "the name ends in .onnx"),
        (["-o", "a.onnx"], "the name ends in .onnx"),
        (["-o", "a.onnx", "--onnx", "--keep-class-head"], "--keep-class-head"),
        (["-o", "a.onnx", "--onnx", "--float32"], "--float32"),
        (["-o", "a.safetensors", "--half"], "--half goes with --onnx"),
        (["-o", "a.safetensors", "--checkpoint", "best"], "--checkpoint goes with a run"),
    ],
)
def test_contradictions_are_usage_errors(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["export", "chromagan", *words]) == 2
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_weights_are_averaged(run, tmp_path):
    """A run, and a file of another one that began alike."""
    folder, network = run
    other = make_run(tmp_path / "other", shift=4.0, data=["DATA/shards"], seed=8)
    chromagan.export(source=tmp_path / "other", out=tmp_path / "other.safetensors", float32=True)
    out = tmp_path / "mean.safetensors"
    sources = [str(folder), "-o", str(out), "--average", str(tmp_path / "other.safetensors")]
    assert main(["export", *sources, "--float32", "--size", "192"]) == 0
    tensors, card = read_weights(out)
    state, its = network.state_dict(), other.state_dict()
    assert len(tensors) > 50
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            assert torch.allclose(tensor, (state[name] + its[name]) / 2, atol=1e-6), name
    assert card.look.size == 192
    averaged = json.loads(card.extra["averaged"])
    assert [one["images"] for one in averaged] == ["16", "16"]
    assert "--seed 7" in averaged[0]["command"]
    assert "--seed 8" in averaged[1]["command"]
    assert averaged[1]["sha256"] == read_weights(tmp_path / "other.safetensors")[1].sha256
    L = torch.rand(1, 1, 32, 32) * 100
    painted = create_model("chromagan", weights=out).eval()(L).ab
    assert torch.allclose(painted, (network(L).ab + other(L).ab) / 2, atol=1e-3)  # it is the last bias that differs


def test_weights_of_networks_that_differ_are_not_averaged(run, tmp_path):
    torch.manual_seed(0)
    chromagan.export(source=run[0], out=tmp_path / "a.safetensors")
    with pytest.raises(UsageError, match=r"@small is of another network or configuration than .*a\.safetensors"):
        chromagan.export(source=tmp_path / "a.safetensors", out=tmp_path / "b.safetensors", average=["chromagan@small"])
    with pytest.raises(UsageError, match="leave --keep-class-head out"):
        chromagan.export(source=run[0], out=tmp_path / "b.safetensors", average=[run[0]], keep_class_head=True)
    assert not (tmp_path / "b.safetensors").exists()
