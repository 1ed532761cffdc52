"""Steps, run folder and the loop, with a small registered network on generated photos."""

import functools
import json
import math
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest
import torch
from safetensors.torch import save_file

import chromagan
from chromagan.data.loader import Batch
from chromagan.errors import ChromaganError, TrainingError, UsageError
from chromagan.losses.chroma import ab_mse
from chromagan.losses.wasserstein import gradient_penalty, mixing_weights
from chromagan.models.trunk import import_timm
from chromagan.training.checkpoint import load_state, state_files
from chromagan.training.config import from_preset
from chromagan.training.loop import Loop
from chromagan.training.run_folder import RunFolder, read_stats
from chromagan.training.step import prepare_truth
from chromagan.training.train import open_loop
from chromagan.training.trainer import Trainer


def config(photos, **given):
    plain = {
        "data": [str(photos)], "model": "tiny_for_training", "class_weight": 0.0, "size": 32, "batch_size": 4,
        "images": 32, "warmup": 0, "workers": 0, "precision": "float32", "no_pretrained": True, "ema": 0.9,
    }  # fmt: skip
    return from_preset("default", **{**plain, **given})


def train(config, out, **given):
    trainer = Trainer(config, out, torch.device("cpu"))
    open_loop(trainer, 16, **given).run()
    return trainer


@pytest.mark.slow
def test_it_learns_and_writes_what_it_promises(photos, tmp_path):
    train(config(photos, images=480, lr=1e-2, adversarial_weight=0.01, ab_unit=50.0), tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run" / "stats.jsonl").read_text().splitlines()]
    for key in ("images", "chroma", "adversarial", "wasserstein", "penalty", "near_gray", "images_per_second", "lr"):
        assert key in lines[-1]
    first = train(config(photos, images=8, lr=1e-2), tmp_path / "first")
    start = json.loads((first.folder.path / "stats.jsonl").read_text().splitlines()[0])["chroma"]
    assert lines[-1]["chroma"] < 0.6 * start
    sheet = cv2.imread(str(tmp_path / "run" / "preview-000000480.jpg"))
    assert sheet.shape == (6 * 32, 6 * 32, 3)


def test_same_command_goes_on_and_equals_the_uninterrupted_run(photos, tmp_path):
    whole = train(config(photos), tmp_path / "whole")
    one = Trainer(config(photos), tmp_path / "parts", torch.device("cpu"))
    open_loop(one, 16, max_minutes=0).run()  # stops cleanly after its first step
    assert one.images == 4
    two = Trainer(config(photos), tmp_path / "parts", torch.device("cpu"))
    assert open_loop(two, 16, stop_at=20).run() == "--stop-at"
    assert two.images == 20
    two = train(config(photos), tmp_path / "parts")
    assert two.images == whole.images == 32
    for key, value in whole.generator.state_dict().items():
        assert torch.equal(value, two.generator.state_dict()[key]), key
    for key, value in whole.critic.state_dict().items():
        assert torch.equal(value, two.critic.state_dict()[key]), key
    for key, value in whole.ema.tensors.items():
        assert torch.equal(value, two.ema.tensors[key]), key


def test_a_folder_whose_configuration_is_flat_goes_on_to_the_bit(photos, tmp_path):
    """As version 0.1 wrote it, by the names that stand in `config_of_0_1.json`."""
    whole = train(config(photos), tmp_path / "whole")
    train(config(photos), tmp_path / "parts", stop_at=16)
    flat, file = config(photos).flat(), tmp_path / "parts" / "config.json"
    names = json.loads(Path(__file__).with_name("config_of_0_1.json").read_text())
    file.write_text(json.dumps({name: flat[name] for name in names}))
    parts = train(config(photos), tmp_path / "parts")
    assert parts.images == whole.images == 32
    for key, value in whole.generator.state_dict().items():
        assert torch.equal(value, parts.generator.state_dict()[key]), key


def test_the_keys_of_a_state_stay_those_of_version_0_1(photos, tmp_path):
    """Else a run that is going on could not be resumed by a newer version."""
    train(config(photos, images=4), tmp_path)
    state = load_state(tmp_path)
    assert set(state) == {
        "generator", "optimizer", "critic", "critic_optimizer", "scaler", "ema", "random", "streams", "images", "best",
        "network",
    }  # fmt: skip
    assert set(state["ema"]) == {"steps", "tensors"}
    assert set(state["streams"][0]) == {"ordinal", "near_gray", "unreadable", "seen"}
    assert set(state["network"]) == {"name", "config", "ancestors"}
    assert set(state["optimizer"]["param_groups"][0]) >= {"lr", "share", "betas"}


def test_state_is_plain_and_a_finished_run_stays_finished(photos, tmp_path):
    trainer = train(config(photos), tmp_path)
    assert [path.name for path in state_files(tmp_path)] == ["state-000000016.pt", "state-000000032.pt"]
    state = torch.load(tmp_path / "state-000000032.pt", weights_only=True)
    assert state["images"] == 32
    again = train(config(photos), tmp_path)
    assert again.images == trainer.images


def test_each_update_touches_its_own_network_alone(photos, tmp_path):
    trainer = Trainer(config(photos), tmp_path, torch.device("cpu"))
    truth = prepare_truth(torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8), 4)
    critic = {k: v.clone() for k, v in trainer.critic.state_dict().items()}
    terms, fakes = trainer.adversaries.generator_step(truth, 0.005)
    assert set(terms) == {"chroma", "adversarial"}
    assert all(torch.equal(v, critic[k]) for k, v in trainer.critic.state_dict().items())
    generator = {k: v.clone() for k, v in trainer.generator.state_dict().items()}
    trainer.adversaries.critic_step(truth, fakes)
    assert all(torch.equal(v, generator[k]) for k, v in trainer.generator.state_dict().items())
    assert not all(torch.equal(v, critic[k]) for k, v in trainer.critic.state_dict().items())


def test_adversarial_term_carries_a_gradient_to_the_generator(photos, tmp_path):
    alone = config(photos, chroma_weight=0.0, adversarial_weight=1.0)
    trainer = Trainer(alone, tmp_path, torch.device("cpu"))
    before = trainer.generator.body[0].weight.clone()
    truth = prepare_truth(torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8), 4)
    trainer.adversaries.generator_step(truth, 1.0)
    assert not torch.equal(before, trainer.generator.body[0].weight)


def test_truth_is_averaged_lab_in_the_right_order():
    from skimage.color import rgb2lab

    rgb = torch.randint(0, 256, (1, 3, 16, 16), dtype=torch.uint8)
    truth = prepare_truth(rgb, 4)
    lab = torch.from_numpy(rgb2lab(rgb[0].permute(1, 2, 0).numpy())).permute(2, 0, 1).float()
    torch.testing.assert_close(truth.L[0], lab[:1], atol=1e-3, rtol=0)
    blocks = lab[1:].unfold(1, 4, 4).unfold(2, 4, 4).mean((3, 4))
    torch.testing.assert_close(truth.small_ab[0], blocks, atol=1e-3, rtol=1e-3)


def test_without_an_adversary_there_is_no_critic(photos, tmp_path):
    trainer = train(config(photos, adversarial_weight=0.0), tmp_path)
    assert trainer.critic is None
    assert "wasserstein" not in (tmp_path / "stats.jsonl").read_text()


def test_another_configuration_is_refused_with_the_difference(photos, tmp_path):
    train(config(photos, images=4), tmp_path)
    with pytest.raises(TrainingError, match=r"seed: 0 there, 3 now"):
        RunFolder(tmp_path, config(photos, images=4, seed=3))
    RunFolder(tmp_path, config(photos, images=4, workers=2))  # does not change what is computed


@pytest.mark.parametrize(
    "wrong", [{"data": ["nowhere"]}, {"val": "nowhere"}, {"model_option": ["wdth=8"]}, {"metrics": ["nope"]}]
)
def test_the_mended_command_may_have_the_folder_of_a_refused_one(photos, tmp_path, wrong):
    out = tmp_path / "run"
    with pytest.raises(ChromaganError):
        chromagan.train(config(photos, **{"val": str(photos), **wrong}), out, "cpu")
    assert not out.exists()
    trainer, _ = chromagan.train(config(photos), out, "cpu")
    assert trainer.images == 32


def test_a_loss_that_is_not_finite_stops_the_run(photos, tmp_path):
    trainer = Trainer(config(photos), tmp_path, torch.device("cpu"))
    with torch.no_grad():
        trainer.generator.body[3].bias.fill_(math.nan)
    with pytest.raises(TrainingError, match=r"chroma term is nan .* there is no checkpoint yet; lower --lr"):
        open_loop(trainer, 16).run()
    assert not state_files(tmp_path)


def test_an_exploding_critic_stops_the_run_at_the_last_checkpoint(photos, tmp_path):
    train(config(photos), tmp_path, stop_at=16)
    trainer = Trainer(config(photos), tmp_path, torch.device("cpu"))
    with torch.no_grad():
        for parameter in trainer.critic.parameters():
            parameter.mul_(8)
    with pytest.raises(TrainingError, match=r"gradient norm is about \d+ .*000000016.pt stands; .*--critic-lr"):
        open_loop(trainer, 16).run()
    assert [path.name for path in state_files(tmp_path)] == ["state-000000016.pt"]


def test_weights_that_are_not_finite_are_never_saved(photos, tmp_path):
    trainer = train(config(photos), tmp_path, stop_at=16)
    with torch.no_grad():
        trainer.critic.convolutions[0].weight[0, 0, 0, 0] = math.inf
    with pytest.raises(TrainingError, match="a weight of the critic is not finite after 16"):
        open_loop(trainer, 16).snapshot()


def test_the_adversarial_weight_waits_and_rises(photos):
    rising = config(photos, adversarial_weight=0.1, adversarial_start=100, adversarial_rise=50, critic_warmup=20)
    assert [rising.critic.adversarial_share(images) for images in (0, 99)] == [0.0, 0.0]
    assert rising.critic.adversarial_share(124) == pytest.approx(0.5)
    assert rising.critic.adversarial_share(149) == rising.critic.adversarial_share(1000) == 1.0
    assert [rising.critic.trains(images) for images in (79, 80)] == [False, True]


def test_parts_of_a_batch_give_the_gradient_of_the_whole(photos, tmp_path):
    """Without batch norm, whose statistics are those of a part."""
    gradients = []
    for parts in (1, 4):
        trainer = Trainer(config(photos, accumulate=parts), tmp_path / str(parts), torch.device("cpu"))
        trainer.generator.eval()
        torch.manual_seed(0)
        truth = prepare_truth(torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8), 4)
        _, fakes = trainer.adversaries.generator_step(truth, 0.5)
        trainer.adversaries.critic_step(truth, fakes)
        networks = (trainer.generator, trainer.critic)
        gradients.append([p.grad for network in networks for p in network.parameters()])
    largest = max(float(gradient.abs().max()) for gradient in gradients[0])
    for whole, added in zip(*gradients, strict=True):
        torch.testing.assert_close(whole, added, rtol=1e-3, atol=1e-6 * largest)


def test_one_backward_pass_serves_both_players(photos, tmp_path):
    """The textbook computes the fakes' score twice, once a player; the gradients are the same."""
    trainer = Trainer(config(photos, adversarial_weight=0.3), tmp_path, torch.device("cpu"))
    truth = prepare_truth(torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8), 4)
    ab = trainer.generator(truth.L).ab
    loss = ab_mse(ab, truth.small_ab, 50.0) - 0.3 * trainer.critic(truth.small_L, ab).mean()
    generator = torch.autograd.grad(loss, list(trainer.generator.parameters()))
    fake, real = trainer.critic(truth.small_L, ab.detach()), trainer.critic(truth.small_L, truth.small_ab)
    mix = mixing_weights(truth.ordinals, 0)
    penalty = gradient_penalty(trainer.critic, truth.small_L, truth.small_ab, ab.detach(), mix, 50.0, "mean")
    critic = torch.autograd.grad(fake.mean() - real.mean() + 10 * penalty, list(trainer.critic.parameters()))
    trainer.critic_optimizer.step = trainer.optimizer.step = lambda *a, **k: None
    _, fakes = trainer.adversaries.generator_step(truth, 0.3)
    trainer.adversaries.critic_step(truth, fakes)
    for network, expected in ((trainer.generator, generator), (trainer.critic, critic)):
        largest = max(float(gradient.abs().max()) for gradient in expected)
        for parameter, gradient in zip(network.parameters(), expected, strict=True):
            torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6 * largest)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_learns_and_the_critic_keeps_float32(photos, tmp_path, precision):
    seen = []
    trainer = Trainer(config(photos, precision=precision, images=160, lr=1e-2), tmp_path, torch.device("cpu"))
    trainer.critic.register_forward_hook(lambda module, given, answer: seen.append((given[1].dtype, answer.dtype)))
    trainer.generator.body[0].register_forward_hook(lambda module, given, answer: seen.append(answer.dtype))
    Loop(trainer, 160, tick=16).run()  # without previews, which are painted in the precision of the product
    assert {getattr(torch, precision), (torch.float32, torch.float32)} == set(seen) - {torch.float32}
    assert trainer.scaler.is_enabled() == (precision == "float16")
    chroma = [line["chroma"] for line in read_stats(tmp_path)]
    assert chroma[-1] < 0.8 * chroma[0]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_teacher_runs_in_the_generators_precision_and_answers_in_float32(photos, tmp_path, precision):
    seen, given = [], {"teacher": "mobilenetv2_050", "teacher_weights": str(tmp_path / "t.safetensors")}
    save_file(import_timm().create_model("mobilenetv2_050").state_dict(), given["teacher_weights"])
    trainer = Trainer(
        config(photos, model="tiny_with_a_head", precision=precision, class_weight=0.1, **given),
        tmp_path / "run", torch.device("cpu"),
    )  # fmt: skip
    assert Trainer(config(photos, class_weight=0.1, **given), tmp_path / "no head", torch.device("cpu")).teacher is None
    trainer.teacher.net.conv_stem.register_forward_hook(lambda module, given, answer: seen.append(answer.dtype))
    truth = prepare_truth(torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8), 4)
    shares = trainer.adversaries.teach(truth)
    assert (seen, shares.dtype) == ([getattr(torch, precision)], torch.float32)
    torch.testing.assert_close(shares.sum(1), torch.ones(2))
    torch.testing.assert_close(shares, trainer.teacher(truth.rgb), rtol=0.1, atol=1e-4)


def test_a_compiled_generator_takes_the_same_step(photos, tmp_path, monkeypatch):
    # Tracing and autograd as by default, without half a minute of C++ compilation.
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
    batch = Batch(torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8), torch.arange(4))
    weights = []
    for number, compiled in enumerate((False, True)):
        trainer = Trainer(config(photos, compile=compiled), tmp_path / str(number), torch.device("cpu"))
        trainer.generator.train()
        trainer.train_batch(batch)
        weights.append(trainer.generator.state_dict())
    assert weights[0].keys() == weights[1].keys()
    for name, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][name], tensor, rtol=1e-3, atol=2e-3, msg=name)


def test_weights_and_biases_get_the_same_numbers(photos, tmp_path, monkeypatch):
    logged = []
    run = SimpleNamespace(log=lambda values, step: logged.append((step, values)), finish=lambda: logged.append("end"))
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=lambda **given: run))
    train(config(photos, wandb="project"), tmp_path / "run")
    lines = read_stats(tmp_path / "run")
    assert logged[-1] == "end"
    assert [step for step, _ in logged[:-1]] == [line["images"] for line in lines]
    assert logged[0][1]["chroma"] == lines[0]["chroma"]
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UsageError, match="--wandb needs the wandb package"):
        train(config(photos, wandb="project"), tmp_path / "other")


def test_the_log_forgets_what_lies_beyond_the_checkpoint(photos, tmp_path):
    folder = RunFolder(tmp_path, config(photos))
    lines = [json.dumps({"images": n, "chroma": 1.0}) for n in (16, 32, 48)]
    (tmp_path / "stats.jsonl").write_text("\n".join([*lines, '{"images": 6']))
    folder.start(32)
    folder.close()
    assert [line["images"] for line in read_stats(tmp_path)] == [16, 32]


def test_the_dry_run_says_what_a_run_would_be(photos, tmp_path, capsys):
    from chromagan.apps.cli.main import main

    words = ["train", "--data", str(photos), "--out", str(tmp_path / "x"), "--no-pretrained", "--size", "64"]
    assert main([*words, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "steps: 25,000" in told
    assert re.search(r"generator: 17,\d{3},\d{3} parameters, 513,000 of them in the class head", told)
    assert float(re.search(r"memory: about ([0-9.]+) GiB", told)[1]) > 0.3
    assert not (tmp_path / "x").exists()
