"""Whether a classifier says the same of answer and truth: see `chromagan.metrics.recognition`."""

from __future__ import annotations

from chromagan.metrics.metric import SetMetric
from chromagan.metrics.recognition import open_recognition
from chromagan.metrics.registry import register

register(SetMetric(
    name="agreement", label="Classified as the truth is", digits=4, better="higher", place=131,
    about="share of answers that a classifier gives the class of the truth",
    needs=("classifier",), open=open_recognition,
))  # fmt: skip
