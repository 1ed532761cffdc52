"""The figures of one row of the zoo's table: quality on held-out photographs, size and speed of the network."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import torch

from chromagan.benchmark.networks.matrix import Matrix
from chromagan.color.lab import rgb_to_lab
from chromagan.evaluation.equal_colourfulness import psnr_at_colourfulness
from chromagan.evaluation.held_out import HeldOut, deal_batches
from chromagan.inference.stages import paint
from chromagan.metrics.vgg16_distance import NAME as VGG_NAME
from chromagan.metrics.vgg16_distance import Vgg16Distance
from chromagan.models.contract import ColorizationNetwork
from chromagan.training.run_folder import read_stats

METRICS = ("psnr", "ssim", "colourfulness")
_TIMED, _SECONDS = 20, 5.0


class Exam:
    """The held-out photographs of a matrix, read once, and what is measured on them for every network alike."""

    def __init__(self, matrix: Matrix, device: torch.device) -> None:
        self.device = device
        self.held_out = HeldOut(matrix.val, matrix.eval_size, METRICS, None, matrix.eval_limit, device, download=False)
        self.distance = Vgg16Distance(matrix.vgg16).to(device) if matrix.vgg16 else None
        self.photos = [torch.from_numpy(photo).permute(2, 0, 1) for photo in self.held_out.photos]
        self.size, self.colourfulness = matrix.eval_size, matrix.colourfulness

    def measure(self, network: ColorizationNetwork) -> dict[str, float]:
        """Figures of a network in evaluation mode: those of `HeldOut.evaluate`, the distance, size and speed."""
        figures = self.held_out.evaluate(network)
        equal, factor = psnr_at_colourfulness(network, self.photos, self.colourfulness, self.device)
        figures |= {"psnr_at_equal_colourfulness": equal, "chroma_factor": factor}
        if self.distance is not None:
            figures[VGG_NAME] = self._vgg16_distance(network, self.distance)
        kept = [p.numel() for name, p in network.named_parameters() if not network.training_only(name)]
        figures["parameters"] = float(sum(kept))
        figures["sample_images_per_second"] = self._pace(network)
        return figures

    @torch.no_grad()
    def _vgg16_distance(self, network: ColorizationNetwork, distance: Vgg16Distance) -> float:
        found: list[float] = []
        for numbers in deal_batches([(p.shape[1], p.shape[2]) for p in self.photos]):
            truth = torch.stack([self.photos[number] for number in numbers]).to(self.device)
            pictures = paint(network, rgb_to_lab(truth.float() / 255)[:, :1], look=self.held_out.look)
            found += distance(pictures, truth).tolist()
        return statistics.fmean(found)

    @torch.no_grad()
    def _pace(self, network: ColorizationNetwork) -> float:
        """Photographs a second, one at a time, at the size of the exam: the median of some forward passes."""
        L = torch.rand(1, 1, self.size, self.size, device=self.device) * 100
        seconds: list[float] = []
        until = time.perf_counter() + _SECONDS
        while len(seconds) < 4 or (len(seconds) <= _TIMED and time.perf_counter() < until):
            start = time.perf_counter()
            network(L).ab.sum().item()  # asks for the answer, so that a GPU has finished
            seconds.append(time.perf_counter() - start)
        return 1 / statistics.median(seconds[1:])


def training_pace(run: Path) -> dict[str, float]:
    """Median photographs a second over a run's log, and the minutes that it took, evaluation and saving apart."""
    lines = [line for line in read_stats(run) if line.get("images_per_second")]
    if not lines:
        return {"train_images_per_second": 0.0, "train_minutes": 0.0}
    rates = [line["images_per_second"] for line in lines]
    places = [0.0, *(line["images"] for line in lines)]
    minutes = sum((b - a) / rate for a, b, rate in zip(places, places[1:], rates, strict=False)) / 60
    # the first stretch begins with allocation and, on a GPU, the choice of algorithms
    return {"train_images_per_second": statistics.median(rates[1:] or rates), "train_minutes": minutes}
