import hashlib
import socket
import urllib.error

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from chromagan.errors import MetricUnavailable, UsageError, WeightsError
from chromagan.metrics import network_files
from chromagan.metrics.network_files import PUBLISHED, PublishedFile, network_tensors, read_tensors, take_tensors


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty cache of downloads, and no connection."""

    def fail(*_args, **_options):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    return tmp_path / "hub" / "checkpoints"


def publish(monkeypatch, folder, network="lpips_alex", **tensors):
    """Save tensors under a name that ends in their digest, and let that be the network's published name."""
    folder.mkdir(exist_ok=True, parents=True)
    plain = folder / "plain.pth"
    torch.save(tensors or {"w": torch.ones(2)}, plain)
    name = f"net-{hashlib.sha256(plain.read_bytes()).hexdigest()[:8]}.pth"
    monkeypatch.setitem(PUBLISHED, network, PublishedFile(f"https://example.org/{name}"))
    return plain.rename(folder / name)


def test_offline_the_message_names_metric_file_and_option(hub):
    with pytest.raises(MetricUnavailable) as caught:
        network_tensors("inception_tf", "fid_tf")
    message = str(caught.value)
    assert "\n" not in message
    for part in ("fid_tf", "pt_inception-2015-12-05-6726825d.pth", "--metric-networks DIR", "no route to host"):
        assert part in message
    with pytest.raises(MetricUnavailable, match=r"alexnet-owt-7be5be79\.pth.*as asked"):
        network_tensors("lpips_alex", "lpips_alex", download=False)
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize("network", PUBLISHED)
def test_published_names_end_in_digits_of_their_digest(network):
    assert all(network_files._digits(name) for name in PUBLISHED[network].names)


def test_found_in_the_folder_and_in_the_cache(hub, tmp_path, monkeypatch):
    publish(monkeypatch, tmp_path / "mine", w=torch.full((2,), 3.0, dtype=torch.float16), n=torch.tensor(4))
    found = network_tensors("lpips_alex", "lpips_alex", tmp_path / "mine")
    assert found["w"].tolist() == [3, 3]
    assert found["w"].dtype == torch.float32
    assert found["n"].dtype == torch.int64
    publish(monkeypatch, hub, w=torch.zeros(3))
    assert network_tensors("lpips_alex", "lpips_alex")["w"].shape == (3,)


def test_found_under_its_other_name(hub, tmp_path, monkeypatch):
    path = publish(monkeypatch, tmp_path / "mine", "inception_tf")
    monkeypatch.setitem(PUBLISHED, "inception_tf", PublishedFile("https://example.org/other.pth", (path.name,)))
    assert "w" in network_tensors("inception_tf", "fid_tf", tmp_path / "mine")


def test_a_file_that_is_not_what_its_name_says_is_refused(hub, tmp_path, monkeypatch):
    path = publish(monkeypatch, tmp_path / "mine")
    torch.save({"w": torch.zeros(2)}, path)
    with pytest.raises(WeightsError, match="sha256"):
        network_tensors("lpips_alex", "lpips_alex", tmp_path / "mine")


def test_a_download_is_checked_and_kept(hub, monkeypatch, tmp_path):
    path = publish(monkeypatch, tmp_path / "server")
    asked = []

    def fetch(url, destination, hash_prefix, progress):
        asked.append((url, hash_prefix))
        with open(destination, "wb") as file:
            file.write(path.read_bytes())

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    for _ in range(2):
        assert "w" in network_tensors("lpips_alex", "lpips_alex")
    assert asked == [(PUBLISHED["lpips_alex"].url, path.stem.rsplit("-", 1)[1])]


def test_a_mapping_names_single_files(hub, tmp_path):
    save_file({"w": torch.ones(1)}, tmp_path / "own.safetensors")
    given = {"lpips_vgg": tmp_path / "own.safetensors"}
    assert "w" in network_tensors("lpips_vgg", "lpips_vgg", given)
    with pytest.raises(MetricUnavailable):
        network_tensors("lpips_alex", "lpips_alex", given)


@pytest.mark.parametrize("networks", ["nowhere", {"lpips_alex": "nowhere.pth"}, {"lpips": "x.pth"}])
def test_what_was_given_wrongly_is_an_error_of_usage(hub, networks):
    with pytest.raises(UsageError):
        network_tensors("lpips_alex", "lpips_alex", networks)


class Exploit:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize("content", [{"w": Exploit()}, [torch.ones(1)], {"w": 1}, b"not a file of torch", b""])
def test_anything_but_tensors_is_refused_and_not_run(content, tmp_path, capsys):
    path = tmp_path / "net.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(WeightsError, match=r"net\.pth"):
        read_tensors(path)
    assert "executed" not in capsys.readouterr().out


def test_take_tensors_is_strict():
    def tensors(**more):
        return {"0.weight": torch.ones(2, 3), "0.bias": torch.zeros(2), **more}

    net = nn.Sequential(nn.Linear(3, 2))
    take_tensors(net, tensors(**{"fc.weight": torch.ones(1)}), ("fc.",), "net")
    assert torch.equal(net[0].weight, torch.ones(2, 3))
    for wrong in (tensors(extra=torch.ones(1)), {"0.weight": torch.ones(2, 3)}, tensors(**{"0.bias": torch.zeros(3)})):
        with pytest.raises(WeightsError, match="another network"):
            take_tensors(net, wrong, (), "net")
