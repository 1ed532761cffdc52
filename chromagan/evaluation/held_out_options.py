"""Which figures a training run follows on photographs that it is not trained on."""

from __future__ import annotations

from dataclasses import dataclass

from chromagan.models.look import Look
from chromagan.options import Section, at_least, option


@dataclass(frozen=True)
class HeldOutOptions(Section):
    """The exam of a run; it changes nothing of what is computed but which state is the best."""

    val: str = option(
        "", "held-out folder: its photos are measured, its first ones make the preview grid", free=True
    )
    eval_every: int = option(10_000, "photographs between evaluations on --val; 0 for none", at_least(0), free=True)
    eval_size: int = option(256, "short side of the held-out photos in pixels", at_least(32), free=True)
    eval_limit: int = option(200, "measure so many held-out photos, evenly spaced; 0 for all", at_least(0), free=True)
    metrics: list[str] = option(["psnr", "ssim", "colourfulness"], "figures of an evaluation", free=True)
    best_metric: str = option("psnr", "figure by which the best checkpoint is chosen", free=True)
    look_size: int = option(
        0, "working size that the weights will want and are validated at; 0 is --eval-size", free=True
    )
    look_saturation: float = option(1.0, "factor on ab that the weights will want", free=True)
    look_typical_chroma: float = option(0.0, "mean chroma that photos are drawn towards, 0 for none", free=True)
    look_annealed_share: float = option(0.0, "share of the bins' annealed mean in the colours, 0 to 1", free=True)
    metric_networks: str = option(
        "", "folder with the networks of LPIPS, FID and KID, by their published names", free=True
    )

    def check(self) -> None:
        """Refuse a look out of range."""
        _ = self.look

    @property
    def look(self) -> Look:
        """How the run's weights are used: by validation and previews, and by default once they are exported."""
        size = self.look_size or self.eval_size
        return Look(size, self.look_saturation, self.look_typical_chroma, self.look_annealed_share)
