import math

import torch

from chromagan.metrics.mean_over_photos import MeanOverPhotos


def test_order_batches_and_ranks_change_nothing():
    values = (torch.randn(101, generator=torch.Generator().manual_seed(0)).double() * 1e6).tolist()
    whole, backwards, merged = MeanOverPhotos(), MeanOverPhotos(), MeanOverPhotos()
    whole.update(values)
    for value in reversed(values):
        backwards.update(value)
    parts = [MeanOverPhotos() for _ in range(3)]
    for rank, part in enumerate(parts):
        part.update(torch.tensor(values[rank::3], dtype=torch.float64))
    merged.merge(part.state() for part in parts)
    assert whole.compute() == backwards.compute() == merged.compute() == math.fsum(values) / 101


def test_infinite_figures_are_left_out_and_counted():
    mean = MeanOverPhotos()
    assert math.isnan(mean.compute())
    mean.update([20.0, math.inf, 30.0])
    assert mean.compute() == 25
    assert mean.left_out == 1
    mean.update(math.nan)
    assert math.isnan(mean.compute())
