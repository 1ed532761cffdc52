"""What metrics are called where people read of them."""

from __future__ import annotations

from dataclasses import dataclass

from chromagan.evaluation.metric_names import HIGHER_IS_BETTER

_DISTANCES = {"fid": "FID", "kid": "KID"}
_INCEPTIONS = {"tf": "TF Inception", "torchvision": "torchvision Inception"}


@dataclass(frozen=True)
class MetricLabel:
    """How a metric is presented.

    Attributes:
        title: for a reader.
        unit: of the figure; empty for a bare number.
    """

    title: str
    unit: str = ""


_LABELS = {
    "psnr": MetricLabel("PSNR", "dB"),
    "psnr_pooled": MetricLabel("PSNR, pooled", "dB"),
    "psnr_ab": MetricLabel("PSNR of ab", "dB"),
    "ssim": MetricLabel("SSIM"),
    "lpips_alex": MetricLabel("LPIPS, AlexNet"),
    "lpips_vgg": MetricLabel("LPIPS, VGG"),
    "lpips_squeeze": MetricLabel("LPIPS, SqueezeNet"),
    "ciede2000": MetricLabel("CIEDE2000", "ΔE₀₀"),
    "ab_mse": MetricLabel("MSE of ab"),
    "ab_rmse": MetricLabel("RMSE of ab"),
    "auc_ab": MetricLabel("AuC of ab errors"),
    "auc_ab_rebalanced": MetricLabel("AuC of ab errors, rebalanced"),
    "lightness_difference": MetricLabel("Largest lightness difference", "levels"),
    "colourfulness": MetricLabel("Colourfulness"),
    "colourfulness_absolute": MetricLabel("Colourfulness, abs()"),
    "delta_colourfulness": MetricLabel("Δ colourfulness"),
    "delta_colourfulness_absolute": MetricLabel("Δ colourfulness, abs()"),
    "delta_colourfulness_per_image": MetricLabel("Δ colourfulness an image"),
    "accuracy": MetricLabel("Classified right"),
    "agreement": MetricLabel("Classified as the truth is"),
    "class_kl": MetricLabel("KL of class distributions"),
}


def label_of(metric: str) -> MetricLabel:
    """A metric's label.

    Of `fid_tf_disjoint` and its like it is made from the parts; a name that is not known keeps its words.
    """
    if metric in _LABELS:
        return _LABELS[metric]
    distance, _, rest = metric.partition("_")
    inception, _, kind = rest.partition("_")
    if distance in _DISTANCES and inception in _INCEPTIONS:
        words = [f"{_DISTANCES[distance]}, {_INCEPTIONS[inception]}", *kind.replace("_", " ").split()]
        return MetricLabel(", ".join(words))
    return MetricLabel(metric.replace("_", " "))


@dataclass(frozen=True)
class Column:
    """A metric as a page shows it.

    Attributes:
        name: of the metric, as in files and options.
        title, unit: of its label.
        higher: whether higher is better; None where neither side is.
    """

    name: str
    title: str
    unit: str
    higher: bool | None


def column_of(metric: str) -> Column:
    """What a page says of a metric."""
    label = label_of(metric)
    return Column(metric, label.title, label.unit, HIGHER_IS_BETTER.get(metric))
