"""How far a classifier's answer moves: see `chromagan.metrics.recognition`."""

from __future__ import annotations

from chromagan.metrics.metric import SetMetric
from chromagan.metrics.recognition import open_recognition
from chromagan.metrics.registry import register

register(SetMetric(
    name="class_kl", label="KL of class distributions", digits=4, better="lower", place=132,
    about="divergence of a classifier's answer from its answer to the truth",
    needs=("classifier",), open=open_recognition,
))  # fmt: skip
