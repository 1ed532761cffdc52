import pytest
import torch
import torch.nn.functional as F

from chromagan.images.enlarge_chroma import bicubic_step, enlarge_chroma, plan_octaves
from chromagan.models.chroma_upsampler import ChromaUpsampler


def lightness_of(size):
    L = 100 * torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(1))
    asked = []

    def lightness(to):
        asked.append(to)
        return F.interpolate(L, size=to, mode="area")

    return lightness, asked


@pytest.mark.parametrize(
    ("grid", "size"),
    [
        ((1, 1), (1, 1)),
        ((1, 1), (7, 3)),
        ((1, 5), (9, 41)),
        ((28, 37), (900, 1201)),
        ((64, 48), (65, 50)),
        ((60, 60), (17, 90)),
    ],
)
@pytest.mark.parametrize("step", [bicubic_step, ChromaUpsampler(width=8, depth=1)])
def test_any_grid_and_photo(grid, size, step):
    ab = torch.randn(1, 2, *grid)
    lightness, asked = lightness_of(size)
    answer = enlarge_chroma(ab, lightness, size, step, max_pixels=1 << 16)
    assert answer.shape[:2] == (1, 2)
    assert torch.isfinite(answer).all()
    if asked:
        assert answer.shape[-2:] == asked[-1]
        assert answer.shape[-2] <= size[0]
        assert answer.shape[-1] <= size[1]
        assert answer.shape[-2] * answer.shape[-1] <= 1 << 16
    else:
        assert answer is ab


def test_powers_of_two_take_exact_octaves():
    lightness, asked = lightness_of((64, 96))
    enlarge_chroma(torch.zeros(1, 2, 8, 12), lightness, (64, 96), bicubic_step)
    assert asked == [(16, 24), (32, 48), (64, 96)]


def test_other_ratios_end_at_the_photo():
    assert plan_octaves((70, 70), (500, 500)) == (3, 62, 62)
    assert plan_octaves((60, 60), (500, 500)) == (3, 62, 62)
    assert plan_octaves((50, 50), (60, 60)) == (0, 50, 50)


def test_the_bound_on_pixels_ends_the_octaves():
    steps, rows, columns = plan_octaves((64, 64), (10_000, 10_000), max_pixels=1 << 20)
    assert (steps, rows, columns) == (4, 64, 64)


def test_bicubic_steps_keep_a_constant_and_nearly_a_ramp():
    ramp = torch.linspace(-40, 40, 16).view(1, 1, 1, 16).expand(1, 2, 16, 16)
    lightness, _ = lightness_of((64, 64))
    answer = enlarge_chroma(ramp, lightness, (64, 64), bicubic_step)
    expected = -40 + 80 / 15 * ((torch.arange(64) + 0.5) / 4 - 0.5)
    # Keys' kernel with a = -0.75 does not reproduce a ramp exactly.
    torch.testing.assert_close(answer[0, 0, 32, 12:-12], expected[12:-12], atol=0.5, rtol=0)
    constant = enlarge_chroma(torch.full((1, 2, 4, 4), 7.0), lightness, (64, 64), bicubic_step)
    torch.testing.assert_close(constant, torch.full((1, 2, 64, 64), 7.0))
