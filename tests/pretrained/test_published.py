"""State dicts of the authors of eccv16 and siggraph17: the same keys and shapes, and then the same ab.

The oracles are written here from the papers, the authors' names of tensors and nothing of the package.
"""

import tarfile

import pytest
import torch
from torch import nn

from chromagan.conditioning.condition import Condition, LocalHints
from chromagan.errors import WeightsError
from chromagan.pretrained.create import create_model, load_model
from chromagan.pretrained.store import digest, save_weights
from chromagan.training.build import ancestors_of, build_generator
from chromagan.training.config import from_preset


def conv(before, after, stride=1, dilation=1):
    return nn.Conv2d(before, after, 3, stride=stride, padding=dilation, dilation=dilation)


def rising(before, after):
    return nn.ConvTranspose2d(before, after, kernel_size=4, stride=2, padding=1)


def rectified(*convolutions):
    return [layer for one in convolutions for layer in (one, nn.ReLU())]


class Encoder(nn.Module):
    """Blocks 1 to 7; `stride` is that of the last convolution of the first three blocks."""

    def __init__(self, channels, stride):
        super().__init__()
        norm = nn.BatchNorm2d
        self.model1 = nn.Sequential(*rectified(conv(channels, 64), conv(64, 64, stride)), norm(64))
        self.model2 = nn.Sequential(*rectified(conv(64, 128), conv(128, 128, stride)), norm(128))
        self.model3 = nn.Sequential(*rectified(conv(128, 256), conv(256, 256), conv(256, 256, stride)), norm(256))
        self.model4 = nn.Sequential(*rectified(conv(256, 512), conv(512, 512), conv(512, 512)), norm(512))
        for block, dilation in ((5, 2), (6, 2), (7, 1)):
            three = [conv(512, 512, 1, dilation) for _ in range(3)]
            setattr(self, f"model{block}", nn.Sequential(*rectified(*three), norm(512)))


class Reference2016(Encoder):
    def __init__(self):
        super().__init__(1, stride=2)
        self.model8 = nn.Sequential(
            *rectified(rising(512, 256), conv(256, 256), conv(256, 256)), nn.Conv2d(256, 313, kernel_size=1)
        )
        self.model_out = nn.Conv2d(313, 2, kernel_size=1, bias=False)
        self.upsample4 = nn.Upsample(scale_factor=4, mode="bilinear", align_corners=False)

    def forward(self, L, hints=None):
        x = (L - 50) / 100
        for number in range(1, 9):
            x = getattr(self, f"model{number}")(x)
        return self.upsample4(self.model_out(torch.softmax(x, 1))) * 110


class Reference2017(Encoder):
    def __init__(self):
        super().__init__(4, stride=1)
        self.model8up = nn.Sequential(rising(512, 256))
        self.model3short8 = nn.Sequential(conv(256, 256))
        self.model8 = nn.Sequential(nn.ReLU(), *rectified(conv(256, 256), conv(256, 256)), nn.BatchNorm2d(256))
        self.model9up = nn.Sequential(rising(256, 128))
        self.model2short9 = nn.Sequential(conv(128, 128))
        self.model9 = nn.Sequential(nn.ReLU(), *rectified(conv(128, 128)), nn.BatchNorm2d(128))
        self.model10up = nn.Sequential(rising(128, 128))
        self.model1short10 = nn.Sequential(conv(64, 128))
        self.model10 = nn.Sequential(nn.ReLU(), conv(128, 128), nn.LeakyReLU(0.2))
        self.model_class = nn.Sequential(nn.Conv2d(256, 529, kernel_size=1))
        self.model_out = nn.Sequential(nn.Conv2d(128, 2, kernel_size=1), nn.Tanh())

    def forward(self, L, hints=None):
        given = torch.zeros_like(L.repeat(1, 3, 1, 1))
        if hints is not None:
            given = torch.cat((hints.local.ab / 110, hints.local.mask), 1)
        one = self.model1(torch.cat(((L - 50) / 100, given), 1))
        two = self.model2(one[..., ::2, ::2])
        three = self.model3(two[..., ::2, ::2])
        seven = self.model7(self.model6(self.model5(self.model4(three[..., ::2, ::2]))))
        eight = self.model8(self.model8up(seven) + self.model3short8(three))
        nine = self.model9(self.model9up(eight) + self.model2short9(two))
        return self.model_out(self.model10(self.model10up(nine) + self.model1short10(one))) * 110


REFERENCES = {"eccv16": Reference2016, "siggraph17": Reference2017}


@pytest.fixture(scope="module", params=sorted(REFERENCES))
def published(request, tmp_path_factory):
    """A network's name, its reference with random weights and statistics, and the file of them."""
    torch.manual_seed(5)
    reference = REFERENCES[request.param]().eval()
    for module in reference.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.weight.data, module.running_var):
                values.uniform_(0.2, 1)
            for values in (module.bias.data, module.running_mean):
                values.normal_(0, 0.2)
    final = reference.model8[6] if request.param == "eccv16" else reference.model_out[0]
    # So that colours differ from pixel to pixel.
    final.weight.data.mul_(20 if request.param == "siggraph17" else 300)
    if request.param == "eccv16":
        reference.model_out.weight.data.uniform_(-1, 1)
    path = tmp_path_factory.mktemp("published") / f"{request.param}-0123abcd.pth"
    torch.save(reference.state_dict(), path)
    return request.param, reference, path


@torch.no_grad()
def test_the_authors_file_gives_the_authors_network(published, tmp_path):
    name, reference, path = published
    network = create_model(name, weights=path).eval()
    state, expected = network.state_dict(), reference.state_dict()
    assert {k: v.shape for k, v in state.items()} == {k: v.shape for k, v in expected.items()}
    assert all(torch.equal(state[k], v) for k, v in expected.items())

    generator = torch.Generator().manual_seed(1)
    hints = None
    for size in ((24, 40), (8, 8)):
        L = torch.rand(2, 1, *size, generator=generator) * 100
        ab = reference(L)
        assert ab.std(dim=(2, 3)).min() > 1
        assert (network(L).ab - ab).abs().max() < 1e-4
        if name == "siggraph17":
            colours = (torch.rand(2, 2, *size, generator=generator) - 0.5) * 200
            hints = Condition(LocalHints(colours, (torch.rand(2, 1, *size, generator=generator) < 0.3).float()))
            hinted = reference(L, hints)
            assert (hinted - ab).abs().max() > 0.1
            assert (network(L, hints).ab - hinted).abs().max() < 1e-4

    # The file names its network by its tensors; written as our own file, it stays the same network.
    again, card = load_model(path)
    assert (card.model, again.config, card.licence) == (name, network.config, "BSD-2-Clause")
    save_weights(tmp_path / "own.safetensors", again, model=name, config=again.config, command="", half=False)
    own = create_model(name, weights=tmp_path / "own.safetensors").eval()
    assert torch.equal(own(L).ab, network(L).ab)


def test_training_goes_on_from_the_authors_file(published):
    name, reference, path = published
    config = from_preset("default", model=name, init=str(path), no_pretrained=True)
    weight = "model7.2.weight"
    assert torch.equal(build_generator(config).state_dict()[weight], reference.state_dict()[weight])
    assert ancestors_of(config.network) == [digest(reference.state_dict())]


def refusal(path, name=None):
    with pytest.raises(WeightsError) as caught:
        load_model(path, name)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_files_from_before_batch_norm_counted_its_steps(published, tmp_path):
    name, reference, _ = published
    state = {k: v for k, v in reference.state_dict().items() if not k.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    network, card = load_model(tmp_path / "old.pth")
    assert card.model == name
    assert torch.equal(network.state_dict()["model7.6.running_var"], state["model7.6.running_var"])
    del state["model7.6.running_var"]
    torch.save(state, tmp_path / "old.pth")
    assert "lacks model7.6.running_var" in refusal(tmp_path / "old.pth", name)
    assert "no network with published weights (eccv16, siggraph17)" in refusal(tmp_path / "old.pth")


def test_the_file_of_one_network_is_not_taken_for_another(published):
    name, _, path = published
    other = next(one for one in REFERENCES if one != name)
    assert "does not fit" in refusal(path, other)
    assert "is a pickle" in refusal(path, "chromagan")


def test_strangers_are_refused_and_not_opened(tmp_path):
    trace = tmp_path / "executed"

    class Bomb:
        def __reduce__(self):
            return open, (str(trace), "w")

    bombs = {"zip.pth": True, "legacy.pth": False}
    for name, zipped in bombs.items():
        torch.save({"model1.0.weight": Bomb()}, tmp_path / name, _use_new_zipfile_serialization=zipped)
        assert "is a pickle, damaged or with more than tensors" in refusal(tmp_path / name)
        assert "is a pickle" in refusal(tmp_path / name, "eccv16")
    # Its first bytes are a member's name, and so may be those of a pickle.
    odd = tmp_path / "tar.pth"
    with tarfile.open(odd, "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        archive.addfile(tarfile.TarInfo("\x80\x02pickle"))
    assert odd.read_bytes()[:2] == b"\x80\x02"
    assert "is a tar archive" in refusal(odd)
    assert not trace.exists()


@pytest.mark.parametrize("content", [[torch.zeros(1)], {"a": 1}, {0: torch.zeros(1)}, torch.zeros(3)])
def test_pickles_of_other_things_are_told(tmp_path, content):
    torch.save(content, tmp_path / "a.pth")
    assert "not of tensors by name" in refusal(tmp_path / "a.pth", "eccv16")


def test_damaged_files_are_told(tmp_path):
    torch.save({"a": torch.zeros(1000)}, tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes((tmp_path / "a.pth").read_bytes()[:3000])
    assert "damaged" in refusal(tmp_path / "b.pth")
    assert "no weights file" in refusal(tmp_path / "none.pth")
