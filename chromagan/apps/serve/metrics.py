"""Figures for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from chromagan.apps.serve.service import Service

_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """What is counted, in a registry of its own."""

    def __init__(self, service: Service) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "chromagan_requests", "Answers, by path and status", ("path", "status"), registry=registry
        )
        self.seconds = Histogram(
            "chromagan_photo_seconds", "From a photo's arrival to its colours", buckets=_SECONDS, registry=registry
        )
        self.waited = Histogram(
            "chromagan_waited_seconds", "Of those, until it was begun", buckets=_SECONDS, registry=registry
        )
        for name, about, value in (
            ("accepted", "Photos accepted and not yet answered", lambda: service.accepted),
            ("waiting", "Photos that are not begun", lambda: service.waiting),
            ("places", "Photos that may be accepted at a time", lambda: service.limits.photos),
            ("ready", "1 when the weights are loaded and photos are accepted", lambda: int(service.ready)),
        ):
            Gauge(f"chromagan_{name}", about, registry=registry).set_function(value)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)
