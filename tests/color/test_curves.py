"""The curves: the same for PyTorch and NumPy, inverse to each other, and their constants in no other file."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch

import chromagan
from chromagan.color import curves
from chromagan.color.curves import lab_curve, lab_uncurve, linear_to_srgb, srgb_to_linear

RAMP = np.concatenate([np.linspace(0, 1, 4097), curves.SRGB_KNEE + np.linspace(-1e-4, 1e-4, 65)])


@pytest.mark.parametrize("curve", [srgb_to_linear, linear_to_srgb, lab_curve, lab_uncurve])
def test_pytorch_and_numpy_agree(curve):
    found = curve(RAMP)
    assert isinstance(found, np.ndarray)
    np.testing.assert_allclose(curve(torch.from_numpy(RAMP)).numpy(), found, atol=1e-12)
    np.testing.assert_allclose(curve(RAMP.astype(np.float32)), found, atol=1e-6)
    assert (np.diff(found[:4097]) > 0).all()


def test_inverses():
    np.testing.assert_allclose(linear_to_srgb(srgb_to_linear(RAMP)), RAMP, atol=1e-6)
    np.testing.assert_allclose(lab_uncurve(lab_curve(RAMP)), RAMP, atol=1e-6)
    lightness = 100 * RAMP
    np.testing.assert_allclose(curves.f_to_lightness(curves.lightness_to_f(lightness)), lightness, atol=1e-12)
    np.testing.assert_allclose(np.array(curves.XYZ_TO_RGB) @ curves.RGB_TO_XYZ, np.eye(3), atol=1e-12)


def test_constants_stand_in_one_file():
    constants = {curves.SRGB_SCALE, curves.SRGB_OFFSET, curves.SRGB_SLOPE, curves.SRGB_KNEE, curves.SRGB_DARK,
                 curves.LAB_DARK, curves.LAB_SLOPE, curves.LAB_KNEE, curves.LIGHTNESS_SCALE, *curves.WHITE,
                 *np.ravel(curves.RGB_TO_XYZ)} - {1.0}  # fmt: skip
    found = {
        f"{file.name}:{node.lineno}: {node.value}"
        for file in Path(chromagan.__file__).parent.rglob("*.py")
        if file != Path(curves.__file__) and file.name != "captions.py"  # IPTC has a data set 116
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value in constants
    }
    assert not found
