"""What a monitor reads at /metrics: counts and histograms in Prometheus' words, in a registry of the server's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from narrate.clock import Recorder
from narrate.server.service import Service
from narrate.synthesis.stats import Stats

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
STAGE_SECONDS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
RATIOS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0, 1.5, 2.0, 4.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
MEDIA_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """All that is counted. Any thread may count."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.requests = self._counter("requests", "Requests by route, method and status", "route", "method", "status")
        self.request_seconds = self._histogram(
            "request_seconds", "Wall time from a request to the end of its answer", SECONDS, "route"
        )
        self.refused = self._counter("refused", "Requests that were refused before any work", "why")
        self.queue_seconds = self._histogram("queue_seconds", "Wall time that a text waited for its turn", SECONDS)
        self.first_audio_seconds = self._histogram(
            "time_to_first_audio_seconds", "Wall time from a request to its first sound", SECONDS, "interface"
        )
        self.speeches = self._counter(
            "speeches", "Texts that were spoken, by how that ended", "interface", "format", "finish_reason"
        )
        self.audio_seconds = self._counter("audio_seconds", "Seconds of sound, by where it came from", "source")
        self.takes = self._counter("takes", "Takes: made, reused from the store, taken again, failed", "source")
        self.engine_seconds = self._counter("engine_seconds", "Wall time that engines worked")
        self.rtf = self._histogram("rtf", "Wall time of the engine for a second of sound, per text", RATIOS)
        self.gaps = self._counter("gaps", "How often sound came later than a player at its heels needed it")
        self.live = self._gauge("live_slots", "Texts that are being spoken now")
        self.waiting = self._gauge("waiting", "Texts that wait for their turn now")
        self.stage_seconds = self._histogram(
            "stage_seconds", "Wall time of each stage from text to sound", STAGE_SECONDS, "stage"
        )
        self.batch_rows = self._histogram("batch_rows", "Sentences that an engine made at once", ROWS)
        self.clock = StageClock(self)

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(f"narrate_{name}", what, labels, registry=self.registry)

    def _gauge(self, name: str, what: str) -> Gauge:
        return Gauge(f"narrate_{name}", what, registry=self.registry)

    def _histogram(self, name: str, what: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"narrate_{name}", what, labels, buckets=buckets, registry=self.registry)

    def watch(self, service: Service) -> None:
        """Count what all readings of this service do, and say how busy its engines are."""
        service.clock = self.clock
        service.on_end = lambda session: self.count(session.stats, session.player.gaps)
        self.registry.register(_Engines(service))

    def count(self, stats: Stats, gaps: int = 0) -> None:
        """A reading has ended: add what it did."""
        for source, takes, seconds in (
            ("made", stats.made, stats.made_seconds),
            ("reused", stats.reused, stats.reused_seconds),
            ("retaken", stats.retaken, stats.retaken_seconds),
        ):
            self.takes.labels(source).inc(takes)
            self.audio_seconds.labels(source).inc(seconds)
        self.takes.labels("failed").inc(len(stats.failed))
        self.engine_seconds.inc(stats.engine_seconds)
        if stats.rtf is not None:
            self.rtf.observe(stats.rtf)
        self.gaps.inc(gaps)

    def text(self) -> bytes:
        return generate_latest(self.registry)


class _Engines(Collector):
    """How busy each engine is at the moment of asking."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        families = {
            "readings": GaugeMetricFamily("narrate_engine_readings", "Readings that use the engine", labels=["engine"]),
            "ears": GaugeMetricFamily("narrate_engine_ears", "Of them, those that somebody hears", labels=["engine"]),
            "waiting": GaugeMetricFamily("narrate_engine_waiting", "Sentences that wait for it", labels=["engine"]),
            "rows": GaugeMetricFamily("narrate_engine_rows", "Sentences that it is making", labels=["engine"]),
            "busy_share": GaugeMetricFamily("narrate_engine_busy", "Share of the time it works", labels=["engine"]),
        }
        totals: dict[tuple[str, str], float] = {}
        for exchange in self._service.exchanges:
            load = exchange.load
            for name in families:
                place = (name, exchange.engine.name)
                totals[place] = totals.get(place, 0.0) + float(getattr(load, name))
        for (name, engine), total in totals.items():
            families[name].add_metric([engine], total)
        yield from families.values()


class StageClock(Recorder):
    """Tells a histogram what every stage took, and keeps nothing itself."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__()
        self._metrics = metrics

    def keep(self, name: str, seconds: float) -> None:
        self._metrics.stage_seconds.labels(name).observe(max(0.0, seconds))

    def batch(self, indexes: Sequence[int], seconds: float) -> None:
        self._metrics.batch_rows.observe(len(indexes))

    def settle(self, wait: object) -> None:
        """A monitor holds no device up."""
