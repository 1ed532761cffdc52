import pytest
import torch
import torch.nn.functional as F

from chromagan.errors import ModelError
from chromagan.models.chroma_upsampler import ChromaUpsampler, build_upsampler


def shaken(**config):
    """A network whose residual is far from zero."""
    torch.manual_seed(0)
    network = ChromaUpsampler(**config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return network.eval()


def photo(rows, columns, count=1):
    generator = torch.Generator().manual_seed(rows * 100 + columns)
    ab = 30 * torch.randn(count, 2, rows, columns, generator=generator)
    return ab, 100 * torch.rand(count, 1, 2 * rows, 2 * columns, generator=generator)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 6), (5, 3), (16, 24)])
def test_doubles_any_grid(rows, columns):
    answer = shaken(width=16, depth=2)(*photo(rows, columns, count=2))
    assert answer.shape == (2, 2, 2 * rows, 2 * columns)
    assert answer.dtype == torch.float32
    assert torch.isfinite(answer).all()


def test_untrained_is_bilinear_with_restored_block_means():
    ab, L = photo(9, 7)
    bilinear = F.interpolate(ab, scale_factor=2, mode="bilinear", align_corners=False)
    restored = bilinear + F.interpolate(ab - F.avg_pool2d(bilinear, 2), scale_factor=2, mode="nearest")
    torch.testing.assert_close(ChromaUpsampler()(ab, L), restored, atol=1e-4, rtol=0)


def test_block_means_are_kept_by_any_weights():
    ab, L = photo(12, 10)
    answer = shaken(width=16, depth=1)(ab, L)
    assert (answer - ChromaUpsampler()(ab, L)).abs().max() > 5
    # bfloat16 rounds the tail's weights, so the residual's mean is only nearly zero.
    assert (F.avg_pool2d(answer, 2) - ab).abs().max() < 0.02 * (answer - ChromaUpsampler()(ab, L)).abs().max()


@pytest.mark.parametrize("colour", [(0.0, 0.0), (43.0, -61.0)])
def test_constant_ab_stays_constant_by_any_weights(colour):
    ab = torch.tensor(colour).view(1, 2, 1, 1).expand(1, 2, 12, 12)
    answer = shaken(width=16)(ab, photo(12, 12)[1])
    torch.testing.assert_close(answer, torch.tensor(colour).view(1, 2, 1, 1).expand_as(answer), atol=1e-3, rtol=0)


def test_autocast_of_the_caller_does_not_round_ab():
    ab, L = photo(8, 8)
    network = shaken(width=16)
    with torch.autocast("cpu", torch.bfloat16):
        under = network(ab, L)
    torch.testing.assert_close(under, network(ab, L))


def test_gradients_reach_every_weight():
    network = shaken(width=16, depth=1).train()
    network(*photo(8, 8)).square().mean().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in network.parameters())


def test_build_rebuilds_from_config():
    network = build_upsampler(ChromaUpsampler(width=24, depth=1).config)
    assert (network.head.out_channels, len(network.body)) == (24, 1)
    with pytest.raises(ModelError, match="heads"):
        build_upsampler({"heads": 3})
    with pytest.raises(ModelError):
        build_upsampler({"width": 0})
