"""Draw the curves of one or more runs: `python docs/plot_run.py OUT.jpg RUN [RUN ...]` (needs matplotlib)."""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from chromagan.training.run_folder import read_stats

PANELS = (
    ("chroma", "squared error of ab"),
    ("class", "KL to the teacher, nats"),
    ("chroma_ratio", "chroma of the answer over the truth's"),
    ("wasserstein", "Wasserstein estimate"),
    ("penalty", "gradient penalty"),
    ("val/psnr", "held-out PSNR, dB"),
    ("val/ssim", "held-out SSIM"),
    ("val/colourfulness", "held-out colourfulness"),
)


def draw(axes: Axes, run: Path, key: str, title: str) -> None:
    """One figure over the photographs seen; the held-out ones with what they are compared with."""
    lines = [line for line in read_stats(run) if key in line]
    places, figures = [line["images"] / 1000 for line in lines], [line[key] for line in lines]
    axes.plot(places, figures, label=run.name, lw=1, marker=".", ms=3)
    for other in {"val/psnr": "val/gray_psnr", "val/colourfulness": "val/true_colourfulness"}.get(key, "").split():
        if lines:
            axes.axhline(lines[-1][other], color="gray", lw=0.8, ls=":")
    axes.set_title(title, fontsize=9)
    axes.tick_params(labelsize=7)


def main(out: str, *runs: str) -> None:
    """Write the sheet."""
    figure, panels = plt.subplots(2, 4, figsize=(13, 5.4), dpi=100)
    for axes, (key, title) in zip(panels.flat, PANELS, strict=True):
        for run in runs:
            draw(axes, Path(run), key, title)
        axes.set_xlabel("thousand photographs", fontsize=7)
    if len(runs) > 1:
        panels.flat[0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(out, pil_kwargs={"quality": 88})


if __name__ == "__main__":
    main(*sys.argv[1:])
