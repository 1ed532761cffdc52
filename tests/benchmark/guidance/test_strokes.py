"""The three measures of strokes, on changes whose figures are known."""

import numpy as np
import pytest
import torch

from chromagan.apps.cli.main import main
from chromagan.benchmark.guidance.strokes import RADIUS, WISH, behind_edges, draw, figures, strong_edges
from chromagan.color.lab import lab_to_rgb
from chromagan.images.read import Photo
from chromagan.images.write import write_photo
from chromagan.inference.colorizer import Colorizer
from chromagan.models.look import Look
from chromagan.models.registry import build_network

WALL = np.full((100, 120), 30, np.float32)
WALL[:, 70:] = 80
CENTRE = (50, 60)


def test_what_lies_behind_an_edge_begins_eight_pixels_past_it():
    edges = strong_edges(WALL)
    assert set(np.flatnonzero(edges.any(0))) == {69, 70}
    behind = behind_edges(edges, CENTRE)
    assert not behind[50, :77].any()
    assert behind[50, 78:100].all()
    assert not behind[50, 101:].any()  # 40 pixels and no more
    assert not behind_edges(edges, (50, 68))[50].any()  # the stroke itself lies over the edge


def test_figures_of_known_changes():
    y, x = np.mgrid[:100, :120]
    before = np.zeros((100, 120, 2))
    segments = (x >= 70).astype(int)
    wish = np.array([WISH, 0.0])
    after = before.copy()
    after[:, :70, 0], after[:, 70:, 0] = WISH - 1, 3.0
    met, leak, carried = figures(before, after, wish, CENTRE, strong_edges(WALL), segments)
    assert met == pytest.approx(1)
    assert leak == pytest.approx(3 / 29)
    assert carried == pytest.approx(1)
    dot = before.copy()
    dot[np.hypot(y - 50, x - 60) <= RADIUS, 0] = WISH
    met, leak, carried = figures(before, dot, wish, CENTRE, strong_edges(WALL), segments)
    assert (met, leak, carried) == (0, 0, 0)
    nothing = figures(before, dot, wish, (50, 10), np.zeros((100, 120), bool), segments)
    assert np.isnan(nothing[1])  # no edge to look behind


def test_a_drawn_wish_is_thirty_units_away_and_can_be_shown():
    ab = np.full((100, 120, 2), 5.0)
    rng = np.random.default_rng(0)
    for _ in range(20):
        (y, x), stroke, wish = draw(WALL, ab, rng)
        assert np.hypot(*(wish - ab[y, x])) == pytest.approx(WISH)
        lab = torch.tensor([float(WALL[y, x]), *map(float, wish)]).view(1, 3, 1, 1)
        rgb = 255 * lab_to_rgb(lab, clip=False).flatten()
        assert np.abs(rgb.numpy() - np.array(stroke.rgb)).max() < 0.6


def test_the_command_measures_and_writes(tmp_path, monkeypatch, capsys):
    make = lambda *a, **k: Colorizer(build_network("mean"), look=Look(size=64), device="cpu")  # noqa: E731
    monkeypatch.setattr(Colorizer, "from_pretrained", make)
    small = np.random.default_rng(0).integers(60, 200, (4, 4, 3), np.uint8)
    write_photo(Photo(np.kron(small, np.ones((64, 64, 1), np.uint8))), tmp_path / "a.png", None)
    words = ["benchmark", "guidance", "--measures", "strokes", "--data", str(tmp_path), "--device", "cpu"]
    assert main([*words, "--out", str(tmp_path / "out.json")]) == 0
    assert "met within" in capsys.readouterr().out
    assert '"strokes": 50' in (tmp_path / "out.json").read_text()
    assert main(["benchmark", "guidance", "--data", str(tmp_path), "--limit", "0"]) == 2
