"""Whether a classifier still finds the label: see `chromagan.metrics.recognition`."""

from __future__ import annotations

from chromagan.metrics.metric import SetMetric
from chromagan.metrics.recognition import open_recognition
from chromagan.metrics.registry import register

register(SetMetric(
    name="accuracy", label="Classified right", digits=4, better="higher", place=130,
    about="share of answers that a classifier gives the photo's label",
    needs=("classifier",), open=open_recognition,
))  # fmt: skip
