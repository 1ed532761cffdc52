"""Mistakes of earlier PyTorch remakes of ChromaGAN, each with a check that our code passes and its mutant does not.

A check takes the thing to be tested, so that the same assertions judge our code and a copy with the mistake in it.
"""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import kstest
from skimage.color import rgb2lab
from torch import nn

from chromagan.color.lab import lab_to_rgb, rgb_to_lab
from chromagan.data.photos import find_photos
from chromagan.data.training_photos import USED, TrainingPhotos
from chromagan.images.join import join_chroma
from chromagan.images.read import Photo, read_photo
from chromagan.images.write import write_photo
from chromagan.losses import wasserstein
from chromagan.losses.wasserstein import generator_loss, gradient_penalty, mixing_weights
from chromagan.models.chromagan_paper import ChromaganPaper
from chromagan.models.contract import Prediction
from chromagan.models.critic import PatchCritic
from chromagan.models.keras_layers import keras_batch_norm
from chromagan.training.config import TrainConfig
from chromagan.training.step import Adversaries, prepare_truth


def rejects(check, mutant):
    """The check must fail on the mutant by an assertion of its own."""
    with pytest.raises(AssertionError):
        check(mutant)


# Interpolation weights drawn from a normal distribution (or by place in the batch, or one for all)


def check_mixing_weights(draw):
    ordinals = torch.arange(40_000)
    mix = draw(ordinals, 7, 0)
    assert mix.shape == (40_000,)
    assert mix.dtype == torch.float32
    assert mix.min() >= 0
    assert mix.max() < 1
    assert kstest(mix.numpy(), "uniform").pvalue > 1e-3
    for lag in (1, 2, 16):  # neighbours in the stream know nothing of each other
        assert abs(np.corrcoef(mix[:-lag], mix[lag:])[0, 1]) < 0.02
    for other in (draw(ordinals, 8, 0), draw(ordinals, 7, 1)):
        assert abs(np.corrcoef(mix, other)[0, 1]) < 0.02
        assert kstest(other.numpy(), "uniform").pvalue > 1e-3
    some = torch.tensor([39_999, 3, 17_000])
    assert torch.equal(draw(some, 7, 0), mix[some])  # whatever else is in the batch, in whatever order


def normal(ordinals, seed, step):
    return torch.randn(len(ordinals), generator=torch.Generator().manual_seed(seed + 100 * step))


def test_mixing_weights_are_uniform_and_belong_to_their_sample():
    check_mixing_weights(mixing_weights)


@pytest.mark.parametrize(
    "mutant",
    [
        normal,
        lambda o, s, t: normal(o, s, t).sigmoid(),
        lambda o, s, t: normal(o, s, t).clamp(0, 0.999),
        lambda o, s, t: torch.rand(len(o), generator=torch.Generator().manual_seed(s + 100 * t)),  # by place in a batch
        lambda o, s, t: mixing_weights(o, s, 0),
        lambda o, s, t: mixing_weights(o, 0, t),
        lambda o, s, t: mixing_weights(torch.zeros_like(o), s, t),
        lambda o, s, t: (mixing_weights(torch.zeros_like(o), s, t) + o * 0.6180339887) % 1,  # uniform, not independent
    ],
)
def test_other_mixing_weights_are_rejected(mutant):
    rejects(check_mixing_weights, mutant)


def test_mixing_weights_of_large_numbers():
    far = torch.tensor([0, 2**40, 2**62])
    assert len({*mixing_weights(far, -3).tolist(), *mixing_weights(far, 2**70, 2).tolist()}) == 6
    assert torch.equal(torch.cat([mixing_weights(one[None], 5) for one in far]), mixing_weights(far, 5))


# Batch-norm momentum read in Keras' sense


def check_slow_statistics(make_norm):
    """Keras' 0.99 keeps 99 % of the running mean at each batch."""
    norm = make_norm(2).train()
    batch = torch.full((3, 2, 4, 4), 5.0)
    norm(batch)
    torch.testing.assert_close(norm.running_mean, torch.full((2,), 5 * 0.01))
    for _ in range(99):
        norm(batch)
    torch.testing.assert_close(norm.running_mean, torch.full((2,), 5 * (1 - 0.99**100)))


def test_batch_norm_keeps_99_percent():
    check_slow_statistics(keras_batch_norm)
    rejects(check_slow_statistics, lambda channels: nn.BatchNorm2d(channels, eps=1e-3, momentum=0.99))
    rejects(check_slow_statistics, lambda channels: nn.BatchNorm2d(channels, eps=1e-3))


def check_norms_of(network):
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 6
    assert {(norm.momentum, norm.eps) for norm in norms} == {(0.01, 1e-3)}


def test_every_norm_of_the_paper_network_is_of_that_kind():
    with torch.device("meta"):
        network = ChromaganPaper(classes=0)
    check_norms_of(network)
    network.mid_features[2].momentum = 0.99
    rejects(check_norms_of, network)


# Swapped channels: RGB and BGR, a and b, from file to Lab and back

COLOURS = np.array([[250, 20, 30], [20, 160, 40], [30, 40, 220], [240, 150, 10]], np.uint8)


@pytest.fixture
def stripes(tmp_path):
    """Four level stripes of known sRGB colours, written by Pillow: (file, (64, 64, 3) array)."""
    array = np.repeat(COLOURS, 16, axis=0)[:, None].repeat(64, axis=1)
    Image.fromarray(array).save(tmp_path / "stripes.png")
    return tmp_path / "stripes.png", array


def test_reading_keeps_the_order_of_channels(stripes):
    file, array = stripes

    def check(read):
        np.testing.assert_array_equal(read(file), array)

    check(lambda path: read_photo(path).pixels)
    rejects(check, lambda path: cv2.imread(str(path)))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg", "a.webp"])
def test_writing_keeps_the_order_of_channels(stripes, tmp_path, name):
    _, array = stripes

    def check(pixels):
        write_photo(Photo(pixels), tmp_path / name, None)
        with Image.open(tmp_path / name) as image:
            written = np.asarray(image.convert("RGB")).astype(int)
        assert np.abs(written[8::16, 32] - COLOURS).max() < 12  # JPEG and WebP are lossy

    check(array)
    rejects(check, np.ascontiguousarray(array[..., ::-1]))


def check_truth(truth):
    """L and ab of a training batch against scikit-image."""
    expected = rgb2lab(COLOURS[None])[0]
    np.testing.assert_allclose(truth.L[0, 0, 8::16, 32].numpy(), expected[:, 0], atol=0.05)
    np.testing.assert_allclose(truth.small_ab[0, :, 2::4, 8].T.numpy(), expected[:, 1:], atol=0.05)


def training_batch(file, reorder=(0, 1, 2), swap_ab=False):
    photos = TrainingPhotos(find_photos([str(file)]), size=64, smallest_crop=1.0, min_chroma=1.0, seed=0)
    rgb, status, *_ = photos[0]
    assert status == USED
    truth = prepare_truth(rgb[None, list(reorder)], 4)
    return replace(truth, small_ab=truth.small_ab.flip(1)) if swap_ab else truth


def test_training_sees_the_colours_of_the_file(stripes):
    file, _ = stripes
    check_truth(training_batch(file))
    for mistake in ({"reorder": (2, 1, 0)}, {"reorder": (0, 2, 1)}, {"swap_ab": True}):
        rejects(check_truth, training_batch(file, **mistake))


def test_lab_and_back_keep_a_and_b_apart():
    rgb = torch.from_numpy(COLOURS / 255).T.reshape(1, 3, 2, 2)

    def check(to_lab):
        lab = to_lab(rgb)
        np.testing.assert_allclose(lab[0].flatten(1).T.numpy(), rgb2lab(COLOURS[None] / 255)[0], atol=1e-3)
        torch.testing.assert_close(lab_to_rgb(lab), rgb, atol=1e-4, rtol=0)

    check(rgb_to_lab)
    rejects(check, lambda image: rgb_to_lab(image)[:, [0, 2, 1]])
    rejects(check, lambda image: rgb_to_lab(image.flip(1)))


def test_joining_chroma_keeps_a_and_b_apart():
    gray = np.full((32, 32), 130 * 257, np.uint16)

    def check(ab):
        lab = rgb2lab(join_chroma(gray, ab) / 65535)[16, 16]
        np.testing.assert_allclose(lab[1:], (22.0, -9.0), atol=0.1)

    ab = torch.tensor([22.0, -9.0]).view(1, 2, 1, 1).expand(1, 2, 32, 32)
    check(ab)
    rejects(check, ab.flip(1))


# An adversarial term that carries no gradient to the generator


def sample(count=3, side=32, seed=0):
    random = torch.Generator().manual_seed(seed)
    L = torch.rand(count, 1, side, side, generator=random) * 100
    real, fake = (torch.randn(count, 2, side, side, generator=random) * 20 for _ in range(2))
    return L, real, fake, torch.rand(count, generator=random)


def check_adversarial_gradient(term):
    torch.manual_seed(0)
    generator, critic = nn.Conv2d(1, 2, 3, padding=1), PatchCritic((8, 8, 8))
    L = sample()[0]
    ab = generator(L / 50 - 1) * 50
    loss = term(critic, L, ab)
    assert loss.requires_grad
    loss.backward()
    gradient = generator.weight.grad
    assert gradient is not None
    assert gradient.norm() > 1e-6
    with torch.no_grad():  # a step against the gradient makes the critic like the colours more
        before = critic(L, ab).mean()
        generator.weight -= 1e-3 * gradient / gradient.norm()
        assert critic(L, generator(L / 50 - 1) * 50).mean() > before


def without_graph(critic, L, ab):
    with torch.no_grad():
        return generator_loss(critic(L, ab))


def in_eight_bits(critic, L, ab):
    return generator_loss(critic(L, ab.round()))


def test_adversarial_term_reaches_the_generator():
    check_adversarial_gradient(lambda critic, L, ab: generator_loss(critic(L, ab)))
    rejects(check_adversarial_gradient, lambda critic, L, ab: generator_loss(critic(L, ab.detach())))
    rejects(check_adversarial_gradient, lambda critic, L, ab: -generator_loss(critic(L, ab)))
    rejects(check_adversarial_gradient, without_graph)
    rejects(check_adversarial_gradient, in_eight_bits)


class _Colours(nn.Module):
    def __init__(self):
        super().__init__()
        self.ab = nn.Conv2d(1, 2, 4, stride=4)

    def forward(self, L, condition=None):
        return Prediction(self.ab(L / 50 - 1) * 50)


class _Deaf(PatchCritic):
    """A critic that hands no gradient on."""

    def forward(self, L, ab):
        return super().forward(L, ab.detach() + 0 * ab)


def check_generator_step(critic_kind):
    """The trainer's own step, with the squared error off: the adversarial term alone must move the weights."""
    torch.manual_seed(0)
    generator, critic = _Colours(), critic_kind((8, 8, 8))
    before = generator.ab.weight.detach().clone()
    options = {"chroma_weight": 1e-30, "adversarial_weight": 1.0, "class_weight": 0.0}
    config = TrainConfig.from_flat(options)
    optimizers = (torch.optim.SGD(generator.parameters(), lr=1.0), torch.optim.SGD(critic.parameters(), lr=1.0))
    step = Adversaries(generator, critic, None, optimizers, config)
    rgb = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    step.generator_step(prepare_truth(rgb, 4), 1.0)
    assert (generator.ab.weight - before).abs().max() > 1e-6
    assert all(parameter.requires_grad for parameter in critic.parameters())


def test_generator_step_follows_the_critic():
    check_generator_step(PatchCritic)
    rejects(check_generator_step, _Deaf)


# A penalty without create_graph


def check_penalty_gradient(penalty_of):
    """A linear critic has the penalty (1 - u |w|)^2; its gradient in closed form is -2 (1 - u |w|) u w / |w|."""
    L, real, fake, mix = sample(side=8)
    weight = (torch.randn(1, 2, 8, 8, generator=torch.Generator().manual_seed(3)) / 200).requires_grad_(True)
    unit = 50.0
    penalty = penalty_of(lambda L, ab: (weight * ab).sum(1, keepdim=True), L, real, fake, mix, unit, "sum")
    norm = weight.detach().norm()
    assert penalty.item() == pytest.approx((1 - unit * norm.item()) ** 2, rel=1e-4)
    assert penalty.requires_grad, "the penalty is a constant to the critic"
    (found,) = torch.autograd.grad(penalty, weight, allow_unused=True)
    assert found is not None
    torch.testing.assert_close(found, -2 * (1 - unit * norm) * unit * weight.detach() / norm, rtol=1e-3, atol=1e-6)


def test_penalty_trains_the_critic(monkeypatch):
    check_penalty_gradient(gradient_penalty)
    plain = torch.autograd.grad

    def forgetful(*args, create_graph=False, **options):
        return plain(*args, **options)

    def mutant(*args):
        with monkeypatch.context() as patch:
            patch.setattr(wasserstein.torch.autograd, "grad", forgetful)
            return gradient_penalty(*args)

    rejects(check_penalty_gradient, mutant)
    rejects(check_penalty_gradient, lambda critic, L, ab, *rest: mutant(critic, L, ab, *rest) + 0 * critic(L, ab).sum())


# Batch norm in the critic


class _Normalised(PatchCritic):
    def __init__(self, norm):
        super().__init__((8, 8, 8))
        self.convolutions[1] = nn.Sequential(self.convolutions[1], norm(8))


def check_samples_are_apart(critic):
    L, real, fake, mix = sample()
    rest = (100.0, "mean")
    together = gradient_penalty(critic, L, real, fake, mix, *rest)
    alone = [
        gradient_penalty(critic, L[i : i + 1], real[i : i + 1], fake[i : i + 1], mix[i : i + 1], *rest)
        for i in range(len(L))
    ]
    torch.testing.assert_close(together, torch.stack(alone).mean(), rtol=1e-4, atol=1e-6)
    real = real.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(L, real)[0].sum(), real)
    assert gradient[0].abs().max() > 0
    assert not gradient[1:].any()


def test_penalty_of_a_sample_knows_no_other():
    torch.manual_seed(0)
    check_samples_are_apart(PatchCritic((8, 8, 8)))
    check_samples_are_apart(_Normalised(lambda width: nn.GroupNorm(1, width)))  # within a sample is allowed
    rejects(check_samples_are_apart, _Normalised(nn.BatchNorm2d))
