"""From what a network answers to the ab that is painted: mixture, calm and balance."""

from __future__ import annotations

from torch import Tensor

from chromagan.color.ab_bins import TEMPERATURE, AbBins
from chromagan.models.contract import Prediction

BALANCE = (0.85, 1.4)


def settle(prediction: Prediction, bins: AbBins | None, annealed_share: float = 0.0, typical: float = 0.0) -> Tensor:
    """The colours of a prediction as these weights want them used.

    Args:
        prediction: of a network in evaluation mode.
        bins: those that the network predicts, if it does.
        annealed_share: share of the bins' annealed mean in the mixture with the regressed ab, 0 to 1.
        typical: see `balance`.

    Returns:
        (N, 2, h, w) float32 in Lab units, of the size of the predicted ab.
    """
    return balance(mixture(prediction, bins, annealed_share), typical)


def mixture(prediction: Prediction, bins: AbBins | None, annealed_share: float) -> Tensor:
    """The regressed ab and the annealed mean of the bins, mixed; calmed where the bins disagree.

    The annealed mean is bold, and blotchy where it does not know. How far the bins agree at a pixel is the length of
    their mean over their mean length: 1 where all probable colours share a hue, 0 where they cancel out. The annealed
    mean takes part by its share times that.
    """
    ab = prediction.ab.float()
    if not annealed_share or prediction.bin_logits is None or bins is None:
        return ab
    annealed, chroma = bins.annealed_mean_and_chroma(prediction.bin_logits, TEMPERATURE)
    agreement = annealed.square().sum(1, keepdim=True).sqrt() / chroma.clamp_min(1e-6)
    return ab + annealed_share * agreement * (annealed - ab)


def balance(ab: Tensor, typical: float) -> Tensor:
    """Draw each photo's mean chroma halfway (in its logarithm) towards a typical one, within limits.

    A network trained on squared error answers duller the less it knows. One factor for all photos makes vivid ones
    garish before dull ones look alive, and costs more error: at equal colourfulness this wins 0.1 dB.

    Args:
        ab: (N, 2, h, w) in Lab units.
        typical: mean chroma in Lab units; 0 returns `ab` itself.

    Returns:
        `ab` times one factor a photo, sqrt(typical / its mean chroma) limited to `BALANCE`.
    """
    if not typical:
        return ab
    chroma = ab.square().sum(1, keepdim=True).sqrt().mean((2, 3), keepdim=True)
    return ab * (typical / chroma.clamp_min(1e-6)).sqrt().clamp(*BALANCE)
