"""Where weights are looked for, what a folder or repository holds, and what the usual mixin uploads."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from chromagan.apps.cli.main import main
from chromagan.errors import ModelError, UsageError, WeightsError
from chromagan.inference.colorizer import Colorizer
from chromagan.models.contract import ColorizationNetwork, Prediction
from chromagan.models.look import Look
from chromagan.models.registry import register_model
from chromagan.pretrained import catalog, hub
from chromagan.pretrained.create import load_model
from chromagan.pretrained.hub import CARD_NAME, CONFIG_NAME, WEIGHTS_NAME, find_weights, write_pretrained
from chromagan.pretrained.store import read_weights, save_weights

huggingface_hub = pytest.importorskip("huggingface_hub")


@register_model("hub_test", paper="a test")
class Net(ColorizationNetwork):
    stride = ab_stride = 4
    training_only_prefixes = ("class_head.",)

    def __init__(self, width=4, classes=3):
        super().__init__()
        self.config = {"width": width, "classes": classes}
        self.net = nn.Sequential(nn.Conv2d(1, width, 4, 4), nn.BatchNorm2d(width), nn.Conv2d(width, 2, 1))
        self.class_head = nn.Linear(width, classes) if classes else None

    def predict(self, L, hints):
        return Prediction(self.net(L / 50 - 1) * 20)


@pytest.fixture
def file(tmp_path):
    """Weights as `chromagan export` writes them: half precision, settings, the run's configuration."""
    torch.manual_seed(0)
    path = tmp_path / "mine.safetensors"
    net = Net(width=6)
    save_weights(path, net, model="hub_test", config=net.config, command="python train_gan.py --seed 3",
                 look=Look(size=64, saturation=1.25), extra={"training": '{"seed": 3}'})  # fmt: skip
    return path


@pytest.fixture
def folder(file, tmp_path):
    Colorizer.from_pretrained(file, device="cpu").save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


ERRORS = pytest.importorskip("huggingface_hub.errors")


def http(kind, text="a long story\nof several lines"):
    return kind(text, response=SimpleNamespace(headers={}, request=None))


PHOTO = np.random.default_rng(0).integers(0, 256, (48, 80), dtype=np.uint8)


def test_folder_round_trip_keeps_weights_settings_and_history(file, folder):
    assert sorted(path.name for path in folder.iterdir()) == sorted([WEIGHTS_NAME, CONFIG_NAME, CARD_NAME])
    (before, card), (after, again) = read_weights(file), read_weights(folder / WEIGHTS_NAME)
    assert again.sha256 == card.sha256
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert again.command == card.command
    assert again.extra == card.extra
    told = json.loads((folder / CONFIG_NAME).read_text())
    assert told["model_type"] == "hub_test"
    assert told["network"] == {"width": 6, "classes": 0}
    assert told["sha256"] == card.sha256
    one, two = (Colorizer.from_pretrained(source, device="cpu") for source in (file, folder))
    assert two.look == Look(64, 1.25)
    assert np.array_equal(one(PHOTO), two(PHOTO))
    assert np.array_equal(one(PHOTO), Colorizer.from_pretrained(str(folder), device="cpu")(PHOTO))


def test_settings_of_the_colorizer_are_saved(file, tmp_path):
    Colorizer.from_pretrained(file, device="cpu", size=96, saturation=0.5).save_pretrained(tmp_path / "other")
    again = Colorizer.from_pretrained(tmp_path / "other", device="cpu")
    assert again.look == Look(96, 0.5)


def test_weights_that_half_precision_would_change_stay_whole(tmp_path):
    net = Net().eval()
    write_pretrained(tmp_path, net, hub.card_of(net))
    again = load_model(tmp_path / WEIGHTS_NAME)[0].eval()
    L = torch.rand(1, 1, 8, 8) * 100
    assert torch.equal(again(L).ab, net(L).ab)


def test_model_card_says_licence_and_origin_and_is_not_overwritten(folder, file):
    text = (folder / CARD_NAME).read_text()
    data = huggingface_hub.ModelCard(text).data
    assert data.license == "apache-2.0"
    assert data.library_name == "chromagan"
    assert {"image-colorization", "hub_test"} <= set(data.tags)
    assert "python train_gan.py --seed 3" in text
    assert read_weights(file)[1].sha256 in text
    (folder / CARD_NAME).write_text("my own words")
    Colorizer.from_pretrained(file, device="cpu").save_pretrained(folder)
    assert (folder / CARD_NAME).read_text() == "my own words"


class FakeHub:
    """Stands in for HfApi, and keeps what would be uploaded."""

    def __init__(self):
        self.created, self.uploads = [], []

    def __call__(self, token=None):
        self.token = token
        return self

    def create_repo(self, repo_id, private=None, exist_ok=False):
        self.created.append((repo_id, private, exist_ok))
        return type("Url", (), {"repo_id": repo_id})()

    def upload_folder(self, *, folder_path, **options):
        files = {str(path.relative_to(folder_path)): path.read_bytes() for path in Path(folder_path).rglob("*")}
        self.uploads.append((files, options))
        return "https://huggingface.co/me/mine/commit/1"


@pytest.fixture
def fake(monkeypatch):
    api = FakeHub()
    monkeypatch.setattr("huggingface_hub.hub_mixin.HfApi", api)
    return api


def test_push_uploads_these_three_files(file, fake, tmp_path):
    colorizer = Colorizer.from_pretrained(file, device="cpu")
    address = colorizer.push_to_hub("me/mine", private=True, token="t", commit_message="first", branch="v1")
    assert address.endswith("/commit/1")
    assert fake.created == [("me/mine", True, True)]
    assert fake.token == "t"
    ((files, options),) = fake.uploads
    assert set(files) == {WEIGHTS_NAME, CONFIG_NAME, CARD_NAME}
    assert (options["repo_id"], options["commit_message"], options["revision"]) == ("me/mine", "first", "v1")
    (tmp_path / "got.safetensors").write_bytes(files[WEIGHTS_NAME])
    assert read_weights(tmp_path / "got.safetensors")[1].sha256 == read_weights(file)[1].sha256


def test_network_has_the_usual_mixin(file, fake, tmp_path):
    network, card = load_model(file)
    model = hub.HubNetwork(network.eval(), card)
    assert isinstance(model, huggingface_hub.ModelHubMixin)
    model.save_pretrained(tmp_path / "net", push_to_hub=True, repo_id="me/net")
    assert set(fake.uploads[0][0]) == {WEIGHTS_NAME, CONFIG_NAME, CARD_NAME}
    again = hub.HubNetwork.from_pretrained(tmp_path / "net")
    L = torch.rand(1, 1, 9, 13) * 100
    assert torch.equal(again(L).ab, model(L).ab)
    assert again.card.sha256 == card.sha256
    assert not again.training


def test_a_fresh_network_can_be_pushed_and_an_unregistered_one_not(fake):
    hub.HubNetwork(Net()).push_to_hub("me/fresh")
    assert len(fake.uploads) == 1

    class Stranger(Net):
        pass

    with pytest.raises(ModelError, match="Stranger is not registered"):
        hub.HubNetwork(Stranger())


def test_a_refused_push_is_one_line(file, fake, monkeypatch):
    def refuse(*args, **kwargs):
        raise http(ERRORS.HfHubHTTPError, "403 Forbidden\nmore")

    colorizer = Colorizer.from_pretrained(file, device="cpu")
    monkeypatch.setattr(fake, "create_repo", refuse)
    with pytest.raises(WeightsError, match="cannot push to 'me/mine': 403 Forbidden; ") as caught:
        colorizer.push_to_hub("me/mine")
    assert "\n" not in str(caught.value)

    def unreachable(*args, **kwargs):
        raise ERRORS.HTTPError("no route to host")  # the transport's own error, which is no OSError

    monkeypatch.setattr(fake, "create_repo", unreachable)
    with pytest.raises(WeightsError, match="no route to host; check the connection"):
        colorizer.push_to_hub("me/mine")


# The order of the look-up


@pytest.fixture
def download(monkeypatch, folder):
    """A Hub that has `me/mine`; keeps what was asked for."""
    asked = []

    def hf_hub_download(repo_id, filename, **options):
        asked.append((repo_id, filename, options))
        return str(folder / filename)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hf_hub_download)
    return asked


def test_shipped_name_file_folder_repository_in_this_order(tmp_path, monkeypatch, file, folder, download):
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    (shipped / "hub_test.safetensors").write_bytes(file.read_bytes())
    (shipped / "small.safetensors").write_bytes(file.read_bytes())
    entries = [catalog.Entry("hub_test", name, f"{name}.safetensors", 0, "MIT", "") for name in ("hub_test", "small")]
    monkeypatch.setattr(catalog, "CATALOGUE", tuple(entries))
    monkeypatch.setattr(catalog, "weights_folder", lambda: shipped)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    folder.rename(here / "hub_test")
    assert find_weights("hub_test") == shipped / "hub_test.safetensors"
    assert find_weights("hub_test@small") == shipped / "small.safetensors"
    assert find_weights("./hub_test") == Path("hub_test") / WEIGHTS_NAME
    assert find_weights(Path("hub_test")) == Path("hub_test") / WEIGHTS_NAME
    (here / "hub_test").rename(here / "mine")
    assert find_weights("mine") == Path("mine") / WEIGHTS_NAME  # a folder whose name is no network's
    (here / "me").mkdir()
    (here / "mine").rename(here / "me" / "mine")
    assert find_weights("me/mine") == Path("me/mine") / WEIGHTS_NAME
    (here / "me" / "a-file").write_bytes(file.read_bytes())
    assert find_weights("me/a-file") == Path("me/a-file")
    assert not download
    assert find_weights("they/other").name == WEIGHTS_NAME
    assert download == [("they/other", WEIGHTS_NAME, {"revision": None})]


def test_repository_by_name_and_revision(download):
    Colorizer.from_pretrained("me/mine@v1.0", device="cpu")(PHOTO)
    hub.HubNetwork.from_pretrained("me/mine", revision="v2", token="t", local_files_only=True)
    assert download[0] == ("me/mine", WEIGHTS_NAME, {"revision": "v1.0"})
    assert download[1] == ("me/mine", WEIGHTS_NAME, {"revision": "v2", "token": "t", "local_files_only": True})


@pytest.mark.parametrize(
    "name", ["a/b/c", "weights/mine.safetensors", "./mine/saved", "../mine", "/mine/saved", "~me/mine", Path("me/mine")]
)
def test_paths_are_never_repositories(name, download, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match="there is no weights file"):
        Colorizer.from_pretrained(name, device="cpu")
    assert not download


def test_a_mistyped_path_below_a_folder_that_is_here_asks_nobody(download, tmp_path, monkeypatch, capsys):
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for name, words in (("runs/mnie", "did you mean runs/mine"), ("runs/other", "check the name")):
        with pytest.raises(UsageError, match=f"there is no {name}, though there is a folder runs; {words}"):
            find_weights(name)
    for name in ("runs/mnie", "runs/mnie/", "./runs/mnie", "runs/mnie/more", "runs/mnie@main"):
        assert main(["export", name, "-o", "out.safetensors"]) in (1, 2)
        assert capsys.readouterr().err.startswith("chromagan: error: there is no ")
    assert not download


def test_names_that_are_nothing(tmp_path, monkeypatch, download):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="did you mean"):
        find_weights("hub_tset")
    for name in ("hub_test", "hub_test@v9"):
        with pytest.raises(WeightsError, match=f"no weights are shipped for '{name}'"):
            find_weights(name)
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match="neither model.safetensors nor"):
        find_weights("empty")
    (tmp_path / "empty" / "stats.jsonl").touch()
    with pytest.raises(WeightsError, match="chromagan export"):
        find_weights("empty")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ERRORS.LocalEntryNotFoundError("x"), "cannot be reached and it was not downloaded before; connect"),
        (http(ERRORS.RepositoryNotFoundError), "there is none of that name, or it is private; check"),
        (http(ERRORS.GatedRepoError), "its owner asks for consent; accept"),
        (http(ERRORS.RevisionNotFoundError), "it has no revision 'v9'; name one"),
        (http(ERRORS.RemoteEntryNotFoundError), "it holds no model.safetensors; name one"),
        (http(ERRORS.HfHubHTTPError), "a long story; try again later"),
        (ERRORS.OfflineModeIsEnabled("offline mode"), "offline mode; try again later"),
        (OSError(28, "No space left on device"), "No space left on device; try again"),
    ],
)
def test_what_the_hub_cannot_give_is_told_in_one_line(error, words, monkeypatch):
    def refuse(*args, **options):
        raise error

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    with pytest.raises(WeightsError) as caught:
        Colorizer.from_pretrained("me/mine@v9", device="cpu")
    assert str(caught.value).startswith("'me/mine' is neither a file nor a folder here")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_library_itself_offline(tmp_path):
    """Not a stand-in: huggingface_hub with an empty cache and without a connection."""
    with pytest.raises(WeightsError, match="not downloaded before"):
        find_weights("nobody/nothing", cache_dir=tmp_path, local_files_only=True)


def test_missing_extra_is_named(monkeypatch, file):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    colorizer = Colorizer.from_pretrained(file, device="cpu")
    for call in (lambda: find_weights("me/mine"), lambda: colorizer.push_to_hub("me/mine")):
        with pytest.raises(WeightsError, match=r"chromagan\[hub\]"):
            call()


@pytest.mark.process
def test_the_package_leaves_the_library_alone():
    code = (
        "import sys, chromagan, chromagan.apps.cli.export, chromagan.pretrained.onnx; chromagan.Colorizer; "
        "print(sorted({'huggingface_hub', 'onnx', 'onnxruntime', 'onnxscript'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
