"""What arrives where metrics are exported to, and what is said when nothing does."""

import logging
import os
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from gateway.telemetry.aggregates import Aggregates, Instrument
from gateway.telemetry.exporters import ExporterOutlet, UnusableOutlet, open_outlets
from tests.telemetry.calls import settings
from tests.telemetry.receivers import InsightsReceiver, OtlpReceiver, Receiver, attributes_of

COUNTER = Instrument("acme", "Total Tokens", "{token}", "Tokens.")
HISTOGRAM = Instrument("gateway", "gen_ai.server.request.duration", "s", "Times.", (0.1, 1.0))
SECOND = 1_000_000_000


def interval(tokens: int, *times: float) -> Aggregates:
    """What one interval has seen."""
    aggregates = Aggregates()
    aggregates.started = SECOND
    aggregates.record(COUNTER, (("Team", "blue"),), tokens)
    for seconds in times:
        aggregates.record(HISTOGRAM, (("gen_ai.operation.name", "chat"),), seconds)
    return aggregates


def outlet(**given: Any) -> ExporterOutlet:
    """The only outlet of these settings."""
    (opened,) = open_outlets(settings(**given))
    assert isinstance(opened, ExporterOutlet)
    return opened


def test_otlp_gets_running_totals() -> None:
    """Decoded: names, units, attributes, and the sums and buckets of both intervals."""
    with OtlpReceiver() as receiver:
        otlp = outlet(otlp_endpoint=receiver.url, site_name="my-gateway")
        assert otlp.deliver(interval(5, 0.05, 0.1, 3), 2 * SECOND) is None
        assert otlp.deliver(interval(7, 0.5), 3 * SECOND) is None
        otlp.close()
    assert receiver.paths == ["/v1/metrics"] * 2
    metrics = receiver.metrics()
    tokens, times = metrics["acme", "Total Tokens"], metrics["gateway", "gen_ai.server.request.duration"]
    assert (tokens.unit, tokens.description, tokens.sum.is_monotonic) == ("{token}", "Tokens.", True)
    assert tokens.sum.aggregation_temporality == times.histogram.aggregation_temporality == 2
    (point,) = tokens.sum.data_points
    assert (point.as_int, attributes_of(point), point.time_unix_nano) == (12, {"Team": "blue"}, 3 * SECOND)
    (point,) = times.histogram.data_points
    assert (times.unit, point.count, point.sum, point.min, point.max) == ("s", 4, 3.65, 0.05, 3)
    assert (list(point.bucket_counts), list(point.explicit_bounds)) == ([2, 1, 1], [0.1, 1.0])


def test_two_processes_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """By service.instance.id; OpenTelemetry's own variables for the resource are honoured."""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    with OtlpReceiver() as receiver:
        for _ in range(2):
            otlp = outlet(otlp_endpoint=f"{receiver.url}/", site_name="my-gateway")
            otlp.deliver(interval(1), SECOND)
            otlp.close()
    first, second = (attributes_of(request.resource_metrics[0].resource) for request in receiver.requests())
    assert first["service.name"] == "my-gateway"
    assert first["deployment.environment.name"] == "test"
    assert first["service.instance.id"] != second["service.instance.id"]


def test_application_insights_gets_each_interval() -> None:
    """As its protocol has it: namespace, name, the interval's own sum, count, least and most, dimensions, and role."""
    with InsightsReceiver() as receiver:
        insights = outlet(application_insights=receiver.connection_string, site_name="my-gateway")
        assert insights.deliver(interval(5, 0.05, 3), SECOND) is None
        assert insights.deliver(interval(7), SECOND) is None
        insights.close()
    found = [
        (
            metric["ns"],
            metric["name"],
            metric["value"],
            metric["count"],
            metric.get("min"),
            metric.get("max"),
            properties,
        )
        for envelope in receiver.envelopes()
        for properties in [envelope["data"]["baseData"]["properties"]]
        for metric in envelope["data"]["baseData"]["metrics"]
    ]
    assert found == [
        ("acme", "Total Tokens", 5, 1, None, None, {"Team": "blue"}),
        ("gateway", HISTOGRAM.name, 3.05, 2, 0.05, 3, {"gen_ai.operation.name": "chat"}),
        ("acme", "Total Tokens", 7, 1, None, None, {"Team": "blue"}),
    ]
    envelope = receiver.envelopes()[0]
    assert envelope["iKey"] == "00000000-1111-2222-3333-444444444444"
    assert envelope["tags"]["ai.cloud.role"] == "my-gateway"


def test_nothing_but_metrics_leaves_for_application_insights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No statistics of the exporter's about itself, no control plane, and nothing on the disk."""
    switches = ["STATSBEAT_DISABLED_ALL", "SDKSTATS_DISABLED", "CONTROLPLANE_DISABLED"]
    for switch in switches:
        monkeypatch.delenv(f"APPLICATIONINSIGHTS_{switch}", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with InsightsReceiver(status=401) as receiver:
        insights = outlet(application_insights=receiver.connection_string)
        assert insights.deliver(interval(5), SECOND) == "the answer was 401"
        insights.close()
        assert len(receiver.bodies) == 1
    for switch in switches:
        assert os.environ[f"APPLICATIONINSIGHTS_{switch}"] == "true"
    assert not [
        thread.name for thread in threading.enumerate() if "Configuration" in thread.name or "Otel" in thread.name
    ]
    assert list(tmp_path.iterdir()) == []


REFUSALS = {"a broken collector": (OtlpReceiver, 400), "no permission": (InsightsReceiver, 403)}


@pytest.mark.parametrize(("kind", "status"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_refusal_is_told_by_its_status(kind: type[Receiver], status: int, caplog: pytest.LogCaptureFixture) -> None:
    """And the exporters' own loggers say nothing: they would show addresses and whole batches."""
    with kind(status) as receiver, caplog.at_level(logging.INFO):
        opened = (
            outlet(application_insights=receiver.connection_string)
            if isinstance(receiver, InsightsReceiver)
            else outlet(otlp_endpoint=receiver.url)
        )
        assert opened.deliver(interval(1), SECOND) == f"the answer was {status}"
        opened.close()
    assert [record.name for record in caplog.records if not record.name.startswith("azure.core")] == []


def test_running_totals_catch_up() -> None:
    """What a collector did not take is in the next export."""
    with OtlpReceiver(status=400) as receiver:
        otlp = outlet(otlp_endpoint=receiver.url)
        assert otlp.deliver(interval(5), SECOND) is not None
        receiver.status = 200
        assert otlp.deliver(interval(7), SECOND) is None
        otlp.close()
    (point,) = receiver.metrics()["acme", "Total Tokens"].sum.data_points
    assert point.as_int == 12


NOT_TAKEN = {
    "away": (503, 12),
    "forbidden": (403, 12),
    "too much": (429, 12),
    "partly taken": (206, 7),
    "bad": (400, 7),
}


@pytest.mark.parametrize(("status", "expected"), NOT_TAKEN.values(), ids=NOT_TAKEN.keys())
def test_nothing_is_counted_twice(status: int, expected: int) -> None:
    """What has certainly not been taken comes with the next interval; what may have been taken does not."""
    with InsightsReceiver(status) as receiver:
        insights = outlet(application_insights=receiver.connection_string)
        assert insights.deliver(interval(5), SECOND) is not None
        receiver.status = 200
        assert insights.deliver(interval(7), SECOND) is None
        insights.close()
    assert receiver.envelopes()[-1]["data"]["baseData"]["metrics"][0]["value"] == expected


def test_no_connection() -> None:
    """Nothing was taken then."""
    with InsightsReceiver() as receiver:
        connection_string = receiver.connection_string
    insights = outlet(application_insights=connection_string)
    assert insights.deliver(interval(5), SECOND) == "no answer"
    assert insights._answer.was_not_taken
    insights.close()


def test_an_interval_without_calls_is_not_exported() -> None:
    """As long as there was none at all."""
    with OtlpReceiver() as receiver:
        otlp = outlet(otlp_endpoint=receiver.url)
        assert otlp.deliver(Aggregates(), SECOND) is None
        otlp.close()
    assert receiver.bodies == []


@pytest.mark.parametrize("text", ["@Microsoft.KeyVault(SecretUri=https://v/secrets/x)", "InstrumentationKey=x"])
def test_a_connection_string_that_is_none(text: str) -> None:
    """Is said of in the log, without what it holds; calls do not suffer."""
    (opened,) = open_outlets(settings(application_insights=text))
    assert isinstance(opened, UnusableOutlet)
    assert opened.deliver(interval(1), SECOND) == "its setting cannot be used"
