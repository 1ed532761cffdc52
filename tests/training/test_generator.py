"""The whole road of the generator in small: recipe, branches, resume, growth, export, sampling, fine-tuning."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from skimage import data, io

from chromagan import Colorizer
from chromagan.apps.cli.main import main
from chromagan.errors import UsageError
from chromagan.losses.bins import Bins
from chromagan.models.first_chromagan import FirstChromaGAN
from chromagan.models.look import Look, mixture
from chromagan.models.registry import build_network
from chromagan.models.trunk import VGG16Trunk, import_timm
from chromagan.pretrained.create import create_model
from chromagan.pretrained.store import read_weights, save_weights
from chromagan.training.build import backbone_files, build_generator
from chromagan.training.config import from_preset
from chromagan.training.run_folder import read_stats
from chromagan.training.train import open_loop
from chromagan.training.trainer import Trainer

CPU = torch.device("cpu")
LITE = "tf_efficientnet_lite2"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for number, picture in enumerate((data.astronaut(), data.coffee(), data.chelsea())):
        io.imsave(folder / f"{number}.png", np.ascontiguousarray(picture[:160:2, :240:2]))
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files of both backbones and of the teacher, with random weights."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(3)
    save_file(import_timm().create_model(LITE).state_dict(), folder / "lite.safetensors")
    save_file(VGG16Trunk().state_dict(), folder / "vgg16.safetensors")
    return folder


def config(photos, files, **options):
    plain = {
        "data": [str(photos)], "backbone_weights": [str(files / "lite.safetensors")], "size": 32, "batch_size": 2,
        "teacher_weights": str(files / "lite.safetensors"), "images": 8, "warmup": 0, "workers": 0, "min_chroma": 0.0,
        "precision": "float32", "adversarial_weight": 0.0, "lr": 1e-3, "eval_every": 0,
    }  # fmt: skip
    return from_preset("lite", **{**plain, **options})


def train(run, out, **given):
    trainer = Trainer(run, out, CPU)
    open_loop(trainer, 100, **given).run()
    return trainer


def test_the_recipe_trains_every_term(photos, files, tmp_path):
    trainer = train(config(photos, files, images=40, trunk_lr=1.0), tmp_path, tick=8)
    lines = read_stats(tmp_path)
    assert {"chroma", "bins", "class"} <= lines[0].keys()
    assert lines[-1]["bins"] < lines[0]["bins"]
    assert all(level.hints.weight.abs().sum() > 0 for level in trainer.generator.levels)  # hints were shown


def test_octaves_and_branches_stay_frozen(photos, files, tmp_path):
    both = [f"{LITE}={files / 'lite.safetensors'}", f"vgg16={files / 'vgg16.safetensors'}"]
    run = config(
        photos, files, backbone=["vgg16", LITE], backbone_weights=both, frozen_backbones=["vgg16"], trunk_frozen=2
    )
    trainer = Trainer(run, tmp_path, CPU)
    before = {name: value.clone() for name, value in trainer.generator.state_dict().items()}
    open_loop(trainer, 100).run()
    moved = {name for name, value in trainer.generator.state_dict().items() if not torch.equal(value, before[name])}
    assert not [name for name in moved if name.startswith(("trunks.0", "trunks.1.stem", "trunks.1.blocks.0"))]
    assert not [name for name in moved if name.startswith(("trunks.1.blocks.1.", "trunks.1.stem."))]
    assert not [name for name in moved if "trunks" in name and "running" in name]
    assert "trunks.1.blocks.2.0.expand.conv.weight" in moved
    assert "trunks.1.blocks.6.0.project.norm.weight" in moved


def test_resume_to_the_bit(photos, files, tmp_path):
    run = config(photos, files, teacher_gray=True)
    whole = train(run, tmp_path / "whole")
    train(run, tmp_path / "parts", stop_at=4)
    parts = train(run, tmp_path / "parts")
    assert parts.images == whole.images == 8
    for key, value in whole.generator.state_dict().items():
        assert torch.equal(value, parts.generator.state_dict()[key]), key


@pytest.fixture(scope="module")
def trained(photos, files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    train(config(photos, files), folder)
    return folder


def test_an_exported_run_paints_and_is_trained_on(trained, photos, files, tmp_path):
    file = tmp_path / "new.safetensors"
    assert main(["export", str(trained), "-o", str(file), "--annealed-share", "0.5", "--size", "64"]) == 0
    tensors, card = read_weights(file)
    assert card.config["folded"] is True
    assert not [name for name in tensors if name.startswith("trunks.0") and "norm" in name]
    colorizer = Colorizer.from_pretrained(file)
    assert colorizer.look == Look(size=64, annealed_share=0.5)
    gray = data.camera()[::4, ::4]
    painted = colorizer(gray)
    assert painted.shape == (*gray.shape, 3)
    regression = Colorizer(create_model("chromagan", weights=file), look=Look(size=64))(gray)
    assert not np.array_equal(painted, regression)  # the bins take part
    run = config(photos, files, init=str(file), backbone_weights=[])
    tuned = Trainer(run, tmp_path / "tuned", CPU)
    L = torch.rand(1, 1, 64, 64) * 100
    ours = tuned.averaged_generator()(L).ab
    torch.testing.assert_close(ours, colorizer.network.float()(L).ab, rtol=1e-3, atol=1e-2)
    assert tuned.generator.config["folded"] is False
    open_loop(tuned, 100).run()


@pytest.mark.process
def test_sampling_needs_no_timm(trained, tmp_path):
    file, gray = tmp_path / "new.safetensors", tmp_path / "gray.png"
    assert main(["export", str(trained), "-o", str(file), "--annealed-share", "0.3"]) == 0
    io.imsave(gray, np.ascontiguousarray(data.camera()[::8, ::8]))
    program = (
        "import sys; sys.modules.update(timm=None, torchvision=None)\n"
        "from chromagan.apps.cli.main import main\n"
        f"sys.exit(main(['sample', {str(gray)!r}, '-o', {str(tmp_path / 'out.png')!r}, '--model', {str(file)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert io.imread(tmp_path / "out.png").shape == (64, 64, 3)


@pytest.mark.slow
def test_the_graph_paints_as_the_file(trained, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    file, graph = tmp_path / "new.safetensors", tmp_path / "new.onnx"
    assert main(["export", str(trained), "-o", str(file), "--float32", "--annealed-share", "0.3", "--calm", "0.5"]) == 0
    assert main(["export", str(file), "-o", str(graph), "--onnx"]) == 0
    network = create_model("chromagan", weights=file).eval()
    L = torch.rand(1, 1, 50, 64) * 100
    with torch.no_grad():
        expected = mixture(network(L), network.bins, Look(annealed_share=0.3, calm=0.5))
    (ab,) = onnxruntime.InferenceSession(graph).run(["ab"], {"L": L.numpy()})
    torch.testing.assert_close(torch.from_numpy(ab), expected, rtol=0, atol=1e-2)


@pytest.mark.parametrize("half_size", [[], ["vgg16"]])
def test_a_further_branch_changes_nothing_at_first(trained, photos, files, tmp_path, half_size):
    file = tmp_path / "lite.safetensors"
    assert main(["export", str(trained), "-o", str(file), "--float32"]) == 0
    before = create_model("chromagan", weights=file).eval()
    given = {"init": str(file), "backbone_weights": [f"vgg16={files / 'vgg16.safetensors'}"]}
    more = {"model_option": [f"half_size={name}" for name in half_size]}
    run = config(photos, files, backbone=[LITE, "vgg16"], frozen_backbones=["vgg16"], **more, **given)
    trainer = Trainer(run, tmp_path / "grown", CPU)
    assert trainer.generator.config["backbone"] == [LITE, "vgg16"]
    assert trainer.generator.config.get("half_size", []) == half_size
    L = torch.rand(1, 1, 64, 96) * 100  # both pad to this
    grown = trainer.averaged_generator()
    for ours, theirs in ((grown(L).ab, before(L).ab), (grown(L).bin_logits, before(L).bin_logits)):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-3)
    open_loop(trainer, 100).run()
    assert all(one.norm.weight.abs().sum() > 0 for level in trainer.generator.levels for one in level.laterals)
    with pytest.raises(UsageError, match="name it first"):
        build_generator(config(photos, files, backbone=["vgg16", LITE], **given))
    with pytest.raises(UsageError, match="leave --backbone-weights out"):
        build_generator(config(photos, files, init=str(file)))


@pytest.mark.parametrize("wrong", ["width=64", f"half_size={LITE}", "half_size=vgg16"])
def test_options_that_do_not_fit_the_weights_are_refused(trained, photos, files, tmp_path, wrong):
    file = tmp_path / "lite.safetensors"
    assert main(["export", str(trained), "-o", str(file), "--float32"]) == 0
    run = config(photos, files, init=str(file), backbone=[], backbone_weights=[], model_option=[wrong])
    with pytest.raises(UsageError, match=f"--init {file}"):
        build_generator(run)


def test_files_of_backbones():
    assert backbone_files(["vgg16=a", "resnet18=b=c"], ["vgg16", "resnet18"]) == {"vgg16": "a", "resnet18": "b=c"}
    assert backbone_files(["folder/x=y.safetensors"], ["vgg16"]) == {"vgg16": "folder/x=y.safetensors"}
    assert backbone_files([], ["vgg16"]) == {}
    for given, names in ((["a"], ["vgg16", LITE]), (["vgg19=a"], ["vgg16", LITE]), (["a", "b"], ["vgg16"])):
        with pytest.raises(UsageError, match="give NAME=FILE"):
            backbone_files(given, names)


def test_two_backbones_are_for_chromagan(photos, files):
    with pytest.raises(UsageError, match="unet takes one"):
        build_generator(from_preset("default", model="unet", backbone=["resnet18", "resnet34"], no_pretrained=True))


@pytest.fixture(scope="module")
def of_version_0_1(tmp_path_factory):
    """A file as version 0.1 wrote it, narrower."""
    torch.manual_seed(4)
    network = build_network("chromagan", backbone="vgg16", width=32, classes=0, semantic=True)
    file = tmp_path_factory.mktemp("old") / "first.safetensors"
    save_weights(file, network, model="chromagan", config=network.config, command="a test")
    return file


def test_heads_are_added_and_kept(photos, files, of_version_0_1, tmp_path):
    bare = config(photos, files, hints=False, bin_weight=0.0)
    train(bare, tmp_path / "bare")
    file, full = tmp_path / "bare.safetensors", tmp_path / "full.safetensors"
    assert main(["export", str(tmp_path / "bare"), "-o", str(file), "--float32"]) == 0
    assert (read_weights(file)[1].config["bins"], read_weights(file)[1].config["hints"]) == (False, False)
    before = create_model("chromagan", weights=file).eval()
    trainer = Trainer(config(photos, files, init=str(file), backbone_weights=[]), tmp_path / "full", CPU)
    L = torch.rand(1, 1, 48, 48) * 100
    torch.testing.assert_close(trainer.averaged_generator()(L).ab, before(L).ab, rtol=1e-4, atol=1e-3)
    open_loop(trainer, 100).run()
    assert main(["export", str(tmp_path / "full"), "-o", str(full)]) == 0
    less = build_generator(config(photos, files, init=str(full), backbone_weights=[], hints=False, bin_weight=0.0))
    assert less.config["bins"] is less.config["hints"] is True  # what a file has stays
    old = {"init": str(of_version_0_1), "backbone": [], "backbone_weights": []}
    with pytest.raises(UsageError, match="--no-hints --bin-weight 0"):
        build_generator(config(photos, files, **old))
    first = Trainer(config(photos, files, hints=False, bin_weight=0.0, **old), tmp_path / "first", CPU)
    open_loop(first, 100).run()


def test_presets_take_their_options_back(tmp_path):
    for preset in ("default", "cpu", "lite", "mobile", "fast", "chromagan"):
        plain = from_preset(preset, bin_weight=0.0, hints=False).objective.term(Bins)
        assert (plain.rebalance, plain.bin_weight) == (False, 0.0)
        assert from_preset(preset, objective="ab_bins").objective.term(Bins).bin_weight == 0.0
    assert from_preset("mobile", model="unet").objective.term(Bins).bin_weight == 0.0
    assert from_preset("paper").objective.term(Bins).bin_weight == 0.0


def test_exports_refuse_what_needs_bins_without_bins(trained, of_version_0_1, tmp_path, capsys):
    for flag in ("--annealed-share", "--calm"):
        words = ["-o", str(tmp_path / "x.safetensors"), flag]
        assert main(["export", str(trained), *words, "1.5"]) == 2
        capsys.readouterr()
        assert main(["export", str(of_version_0_1), *words, "0.5"]) == 2
        assert f"{flag}: the network of {of_version_0_1} predicts no bins" in capsys.readouterr().err


def test_frozen_backbones_are_of_the_network(photos, files, tmp_path):
    with pytest.raises(UsageError, match="--frozen-backbones resnet18"):
        Trainer(config(photos, files, frozen_backbones=["resnet18"]), tmp_path, CPU)


def test_a_fresh_branch_learns_its_statistics():
    network = build_generator(from_preset("lite", no_pretrained=True)).train()
    network(torch.rand(2, 1, 32, 32) * 100)
    assert network.trunks[0].blocks[6][0].project.norm.num_batches_tracked == 1


def test_files_of_version_0_1_are_still_read(of_version_0_1):
    network = create_model("chromagan", weights=of_version_0_1)
    L = torch.rand(1, 1, 32, 32) * 100
    assert network.eval()(L).ab.shape == (1, 2, 8, 8)
    assert isinstance(network, FirstChromaGAN)
