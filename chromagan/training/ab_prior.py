"""The prior of the ab bins of a run's network: what `--rebalance` weighs rare colours up by."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from chromagan.color.ab_bins import AbBins
from chromagan.color.lab import rgb_to_lab
from chromagan.compute.distributed import gather, rank
from chromagan.data.decode import decode_photo, reduce_to
from chromagan.data.near_gray import mean_chroma
from chromagan.data.source import Photo
from chromagan.data.training_photos import DataOptions
from chromagan.errors import DataError
from chromagan.training.run_folder import RunFolder

FILE = "ab_prior.json"
PHOTOS = 1_000
SHORT_SIDE = 128  # pixels; the bins are 10 Lab units wide, so that finer detail changes little


def run_prior(options: DataOptions, photos: Sequence[Photo], folder: RunFolder, bins: AbBins) -> Tensor:
    """The prior of a run: measured once, on up to 1,000 evenly spaced photographs, and kept in the run folder.

    Near-gray photographs are left out as they are in training. The first process measures, the others are told.

    Returns:
        (Q,) float64 on the CPU, sums to 1.

    Raises:
        DataError: none of these photographs can be used, or the file in the folder is another network's.
    """
    mine = _read_or_measure(options, photos, folder, bins) if rank() == 0 else []
    return torch.tensor(gather(mine)[0], dtype=torch.float64)


def _read_or_measure(options: DataOptions, photos: Sequence[Photo], folder: RunFolder, bins: AbBins) -> list[float]:
    file = folder.path / FILE
    if file.exists() and not folder.is_new:
        try:
            values = [float(value) for value in json.loads(file.read_text(encoding="utf-8"))]
        except (ValueError, TypeError):
            values = []
        if len(values) != len(bins):
            raise DataError(f"{file}: not the prior of {len(bins)} bins; remove the file, and it is measured again")
        return values
    try:
        prior = AbBins(bins.centres.detach().cpu()).count_prior(_colours(options, photos))
    except ValueError as error:
        raise DataError(f"--rebalance: none of {' '.join(options.data)} can be used to count colours") from error
    values = prior.tolist()
    folder.keep(FILE, json.dumps(values))
    return values


def _colours(options: DataOptions, photos: Sequence[Photo]) -> Iterator[Tensor]:
    for index in np.unique(np.linspace(0, len(photos) - 1, min(PHOTOS, len(photos))).round().astype(int)):
        rgb = decode_photo(photos[index], SHORT_SIDE)
        if rgb is None or mean_chroma(rgb) < options.min_chroma:
            continue
        small = torch.from_numpy(reduce_to(rgb, SHORT_SIDE)).permute(2, 0, 1)[None]
        yield rgb_to_lab(small.float() / 255)[:, 1:]
