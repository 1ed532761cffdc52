"""A stranger's network: one file in another package, found by its entry point, trained, exported and sampled."""

import json
import logging
import subprocess
import sys

import cv2
import numpy as np
import pytest

from chromagan import strangers
from chromagan.apps.cli.main import main
from chromagan.errors import ModelError, UsageError
from chromagan.models import registry
from chromagan.models.registry import list_models, model_record
from chromagan.pretrained.store import read_weights
from chromagan.training.build import build_generator
from chromagan.training.config import from_preset
from chromagan.training.hints import check_hints

NETWORK = '''
from torch import nn
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.registry import register_model

@register_model("stranger", paper="a test", recipe={"class_weight": 0.0, "adversarial_weight": 0.0})
class Stranger(ColorizationNetwork):
    """Two options of its own."""

    ab_stride = 4

    def __init__(self, width: int = 4, twice: bool = False) -> None:
        super().__init__()
        self.config = {"width": width, "twice": twice}
        middle = [nn.Conv2d(width, width, 3, padding=1), nn.ReLU()] * (2 if twice else 1)
        self.body = nn.Sequential(
            nn.Conv2d(1, width, 5, stride=4, padding=2), nn.ReLU(), *middle, nn.Conv2d(width, 2, 3, padding=1))

    def predict(self, L, condition):
        return Prediction(self.body(L / 50 - 1) * 50)
'''


def install(site, package, code, entries):
    """What `pip install` leaves of a package."""
    (site / package).mkdir(parents=True)
    (site / package / "__init__.py").write_text(code)
    record = site / f"{package}-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in entries.items()]
    (record / "entry_points.txt").write_text("\n".join(["[chromagan.models]", *lines, ""]))


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of installed packages, and a registry that forgets them afterwards."""
    list_models()
    monkeypatch.setattr(registry, "_RECORDS", dict(registry._RECORDS))
    monkeypatch.setattr(strangers, "_asked", set(strangers._asked))
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in [name for name in sys.modules if name.startswith("strange_")]:
        del sys.modules[name]


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(4):
        mask = cv2.resize(rng.random((5, 5)), (64, 64), interpolation=cv2.INTER_CUBIC)[..., None] > 0.5
        cv2.imwrite(str(folder / f"{i}.png"), np.where(mask, (60, 170, 240), (150, 60, 20)).astype(np.uint8))
    return folder


def test_it_is_trained_exported_and_sampled(site, photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    install(site, "strange_network", NETWORK, {"stranger": "strange_network"})
    run, file, out = tmp_path / "run", tmp_path / "stranger.safetensors", tmp_path / "out"
    options = ["--model-option", "width=3", "--model-option", "twice=yes"]
    words = [*options, "--size", "32", "--batch-size", "2", "--images", "8", "--workers", "0", "--device", "cpu"]
    train = ["train", "--data", str(photos), "--out", str(run), "--preset", "stranger", *words]
    assert main([*train, "--ema", "0"]) == 0
    assert main(["export", str(run), "-o", str(file), "--size", "48"]) == 0
    assert main(["sample", str(photos / "0.png"), "--model", str(file), "-o", str(out), "--device", "cpu"]) == 0
    assert cv2.imread(str(out / "0.png")).shape == (64, 64, 3)
    card = read_weights(file)[1]
    assert (card.model, card.config) == ("stranger", {"width": 3, "twice": True})
    assert "--model-option width=3 twice=yes" in card.command
    # What was exported can be trained on.
    words[:4] = ["--init", str(file)]
    again = ["train", "--data", str(photos), "--out", str(tmp_path / "again"), "--preset", "stranger", *words]
    assert main([*again, "--ema", "0"]) == 0
    capsys.readouterr()


def test_options_that_it_does_not_have_are_named(site):
    install(site, "strange_network", NETWORK, {"stranger": "strange_network"})
    for word, told in (("height=3", "width, twice"), ("width", "NAME=VALUE"), ("width=wide", "give a whole number")):
        with pytest.raises(UsageError, match=told):
            build_generator(from_preset("stranger", model_option=[word]))
    run = from_preset("stranger", hints=True)
    network = build_generator(run)
    with pytest.raises(UsageError, match="--hints: stranger takes none"):
        check_hints(network, run.hints, run.network.model)
    assert model_record("stranger").network.__module__ == "strange_network"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import no_such_module_at_all", "No module named 'no_such_module_at_all'"),
        ("class Mute(Exception):\n    __str__ = None\nraise Mute", "loaded: Mute;"),
        ("raise SystemExit(3)", "loaded: 3;"), ("raise ValueError('one\\ntwo')", "loaded: one two;"),
        (NETWORK.replace('"stranger"', '"eccv16"'), "the model name 'eccv16' is taken"),
    ],
)  # fmt: skip
def test_a_broken_package_is_told_once_and_left_out(site, caplog, code, told):
    install(site, "strange_broken", code, {"broken": "strange_broken"})
    install(site, "strange_network", NETWORK, {"stranger": "strange_network"})
    with caplog.at_level(logging.WARNING):
        assert "stranger" in list_models()
        assert "stranger" in list_models()
        with pytest.raises(ModelError, match="no model 'broken'"):
            model_record("broken")
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("chromagan.models: broken (strange_broken) cannot be loaded: ")
    assert line.endswith("; mend package strange_broken or remove it")
    assert told in line
    assert "\n" not in line


@pytest.mark.process
def test_the_command_says_it_on_one_line(site):
    install(site, "strange_broken", "raise ValueError", {"broken": "strange_broken"})
    install(site, "strange_network", NETWORK, {"stranger": "strange_network"})
    program = f"import sys; sys.path.insert(0, {json.dumps(str(site))}); from chromagan.apps.cli.main import main; "
    done = subprocess.run(
        [sys.executable, "-c", program + "sys.exit(main(['zoo', 'str*']))"], capture_output=True, text=True
    )
    assert (done.returncode, len(done.stderr.splitlines())) == (0, 1), done.stderr
    assert done.stderr.startswith("chromagan: chromagan.models: broken (strange_broken)")
    assert "stranger" in done.stdout
