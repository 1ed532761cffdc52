"""Area under the cumulative curve of colour errors: see `chromagan.metrics.ab_planes.ab_errors`."""

from __future__ import annotations

from chromagan.metrics.ab_planes import ab_errors_of
from chromagan.metrics.metric import PictureMetric
from chromagan.metrics.registry import register

register(PictureMetric(
    name="auc_ab", label="AuC of ab errors", digits=4, better="higher", place=60,
    about="share of pixels whose colour is within a distance of the truth's, over distances of 0 to 150",
    compute=lambda pair: pair.once(ab_errors_of).auc,
))  # fmt: skip
