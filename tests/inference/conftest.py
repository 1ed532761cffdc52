"""What tests of inference share: a network of one colour, and a gray photograph of specks."""

import cv2
import numpy as np

from chromagan.models.contract import ColorizationNetwork, Prediction


class OneColour(ColorizationNetwork):
    """Answers one colour everywhere."""

    stride = ab_stride = 4

    def __init__(self, a=20.0, b=20.0):
        super().__init__()
        self.config, self.ab = {}, (a, b)

    def predict(self, L, condition):
        ab = L.new_tensor(self.ab).view(1, 2, 1, 1)
        return Prediction(ab.expand(len(L), 2, L.shape[2] // 4, L.shape[3] // 4))


def specks(rows, columns, low=60, high=200):
    """(rows, columns) uint8: smooth specks of chance, always the same."""
    noise = np.random.default_rng(0).integers(low, high, (9, 12), np.uint8)
    return cv2.resize(noise, (columns, rows), interpolation=cv2.INTER_CUBIC)
