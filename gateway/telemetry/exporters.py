"""The two places that metrics can go to. Imports the SDK, so it is itself imported in a thread."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import Protocol

from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricExportResult, MetricsData
from opentelemetry.sdk.resources import OTELResourceDetector, Resource

from gateway.settings import Settings
from gateway.telemetry.aggregates import Aggregates
from gateway.telemetry.delivery import Outlet
from gateway.telemetry.points import metrics_data

# They would write several lines for every failure, with addresses and whole batches in them; we write one a minute.
TALKATIVE = ("opentelemetry.exporter", "opentelemetry.sdk", "azure.monitor.opentelemetry.exporter")

# Answers that say that nothing was taken, and that it may be later.
TRY_LATER = frozenset({401, 403, 429, 500, 502, 503})


class Exporter(Protocol):
    """What we use of the SDK's exporters."""

    def export(self, metrics_data: MetricsData) -> MetricExportResult: ...

    def shutdown(self) -> None: ...


class LastAnswer:
    """What became of an exporter's last request."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """There is none yet."""
        self.status: int | None = None
        self.never_arrived = False

    def hear(self, status: int) -> None:
        """There was an answer."""
        self.status = status

    def hear_nothing(self) -> None:
        """There was no connection to send it over."""
        self.never_arrived = True

    @property
    def was_not_taken(self) -> bool:
        """Whether it is sure that nothing was taken, so that sending it again counts nothing twice."""
        return self.never_arrived if self.status is None else self.status in TRY_LATER

    @property
    def reason(self) -> str:
        """Why it failed."""
        return "no answer" if self.status is None else f"the answer was {self.status}"


class ExporterOutlet:
    """An exporter, and what it is to be given next: running totals, or what has come since it last took something."""

    def __init__(
        self,
        name: str,
        open_exporter: Callable[[LastAnswer], Exporter],
        temporality: AggregationTemporality,
        resource: Resource,
    ) -> None:
        self.name = name
        self._answer = LastAnswer()
        self._exporter = open_exporter(self._answer)
        self._temporality = temporality
        self._resource = resource
        self._sum = Aggregates()

    def deliver(self, interval: Aggregates, ended: int) -> str | None:
        """Export. What was certainly not taken is in the next export too."""
        self._sum.add(interval)
        if not self._sum.points:
            return None
        self._answer.forget()
        try:
            result = self._exporter.export(metrics_data(self._sum, ended, self._temporality, self._resource))
            reason = None if result is MetricExportResult.SUCCESS else self._answer.reason
        except Exception as error:
            # Its message may hold the address with all that is in it.
            reason = f"the exporter failed with {type(error).__name__}"
        if self._temporality is AggregationTemporality.DELTA and (reason is None or not self._answer.was_not_taken):
            self._sum = Aggregates(started=ended)
        return reason

    def close(self) -> None:
        """Close its connections."""
        self._exporter.shutdown()


class UnusableOutlet:
    """Stands in for an exporter that does not take its settings, and says so."""

    def __init__(self, name: str) -> None:
        self.name = name

    def deliver(self, interval: Aggregates, ended: int) -> str:
        """Nothing is delivered."""
        return "its setting cannot be used"

    def close(self) -> None:
        """There is nothing to close."""


def open_outlets(settings: Settings) -> list[Outlet]:
    """One for each setting that names a place."""
    for talkative in TALKATIVE:
        logging.getLogger(talkative).setLevel(logging.CRITICAL + 1)
    resource = _resource(settings)
    outlets: list[Outlet] = []
    if settings.application_insights:
        outlets.append(_application_insights(settings.application_insights, resource))
    if settings.otlp_endpoint:
        outlets.append(_otlp(settings.otlp_endpoint, resource))
    return outlets


def _resource(settings: Settings) -> Resource:
    # Two processes must never look like one: their running totals would seem to jump back and forth.
    attributes = {"service.name": settings.site_name, "service.instance.id": str(uuid.uuid4())}
    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES have the last word.
    return Resource(attributes).merge(OTELResourceDetector().detect())


def _otlp(endpoint: str, resource: Resource) -> Outlet:
    def open_exporter(answer: LastAnswer) -> Exporter:
        import requests
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

        session = requests.Session()
        session.hooks["response"].append(lambda response, *_, **__: answer.hear(response.status_code))
        return OTLPMetricExporter(endpoint=f"{endpoint.removesuffix('/')}/v1/metrics", session=session)

    return ExporterOutlet("the OTLP endpoint", open_exporter, AggregationTemporality.CUMULATIVE, resource)


def _application_insights(connection_string: str, resource: Resource) -> Outlet:
    def open_exporter(answer: LastAnswer) -> Exporter:
        from gateway.telemetry.application_insights import exporter

        return exporter(connection_string, answer.hear, answer.hear_nothing)

    name = "Application Insights"
    try:
        return ExporterOutlet(name, open_exporter, AggregationTemporality.DELTA, resource)
    except ValueError:
        # An app setting that refers to a key vault and is not resolved, for one. Calls must not suffer for it.
        return UnusableOutlet(name)
