"""From a call that is over to what a collector receives."""

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.call import CacheNote, SafetyNote
from gateway.catalog.keys import generate
from gateway.llm.usage import Usage
from gateway.telemetry.recorder import TelemetryRecorder, build_telemetry
from tests.telemetry.calls import METRICS, Finished, catalog, finished, settings
from tests.telemetry.receivers import OtlpReceiver, attributes_of

TOKENS = {"Total Tokens": 29, "Prompt Tokens": 19, "Completion Tokens": 10, "Cached Tokens": 7, "Reasoning Tokens": 4}
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}


@asynccontextmanager
async def recorder(**given: Any) -> AsyncIterator[TelemetryRecorder]:
    """One that exports as its settings say, and is closed at the end."""
    made = build_telemetry(settings(**given))
    assert made is not None
    made.start()
    yield made
    await made.aclose()


async def export(*ended: Finished, **given: Any) -> dict[tuple[str, str], Any]:
    """What a collector has of these calls in the end."""
    with OtlpReceiver() as receiver:
        async with recorder(otlp_endpoint=receiver.url, **given) as made:
            for each in ended:
                made.record(each.call, each.outcome)
        return receiver.metrics()


async def test_token_metrics() -> None:
    """Five counters under their namespace, with the dimensions that were asked for."""
    snapshot = catalog()
    ended = [finished(snapshot, headers={"x-team": team}) for team in ("blue", "blue", "red")]
    metrics = await export(*ended)
    for name, figure in TOKENS.items():
        metric = metrics["acme", name]
        points = {attributes_of(point)["Team"]: point for point in metric.sum.data_points}
        assert (metric.unit, metric.sum.is_monotonic) == ("{token}", True)
        assert {team: point.as_int for team, point in points.items()} == {"blue": 2 * figure, "red": figure}
        assert attributes_of(points["red"]) == {"Team": "red", "Subscription ID": "team-a"}


async def test_a_new_catalog_is_heeded() -> None:
    """Of an API that has changed, calls are counted by what it says now."""
    now = METRICS.replace("acme", "other").replace("Team", "Group")
    before, after = (finished(catalog(written), headers={"x-team": "blue"}) for written in (METRICS, now))
    metrics = await export(before, after, before)
    (old,), (new,) = (metrics[name, "Total Tokens"].sum.data_points for name in ("acme", "other"))
    assert (attributes_of(old)["Team"], old.as_int) == ("blue", 58)
    assert (attributes_of(new)["Group"], new.as_int) == ("blue", 29)


async def test_the_conventions_histograms() -> None:
    """Tokens by type, the time of every call, the time to the first token of streams."""
    snapshot = catalog(api="")
    metrics = await export(finished(snapshot, streamed=True), finished(snapshot))
    assert set(metrics) == {
        ("gateway", "gen_ai.client.token.usage"),
        ("gateway", "gen_ai.server.request.duration"),
        ("gateway", "gen_ai.server.time_to_first_token"),
    }
    usage = metrics["gateway", "gen_ai.client.token.usage"]
    assert usage.unit == "{token}"
    sums = {
        attributes_of(point)["gen_ai.token.type"]: (point.count, point.sum) for point in usage.histogram.data_points
    }
    assert sums == {"input": (2, 38), "output": (2, 20)}
    assert attributes_of(usage.histogram.data_points[0]) == {**CHAT, "gen_ai.token.type": "input"}
    (point,) = metrics["gateway", "gen_ai.server.request.duration"].histogram.data_points
    assert (attributes_of(point), point.count, sum(point.bucket_counts)) == (CHAT, 2, 2)
    (point,) = metrics["gateway", "gen_ai.server.time_to_first_token"].histogram.data_points
    assert (attributes_of(point), point.count, point.sum) == (CHAT, 1, 0.03)
    # 0.03 s stands in the bucket that ends with 0.04.
    assert list(point.bucket_counts).index(1) == list(point.explicit_bounds).index(0.04)


ERRORS = {
    "a policy's refusal": ({"status": 429, "code": "SubscriptionKeyInvalid"}, "SubscriptionKeyInvalid"),
    "a failed backend": ({"status": 504, "code": "Timeout"}, "Timeout"),
    "the backend's own refusal": ({"status": 400}, "400"),
    "a stream that broke off": ({"status": 200, "code": "BackendStreamInterrupted"}, "BackendStreamInterrupted"),
    "none": ({"status": 200}, None),
}


@pytest.mark.parametrize(("outcome", "expected"), ERRORS.values(), ids=ERRORS.keys())
async def test_errors(outcome: dict[str, Any], expected: str | None) -> None:
    """The time of a call that failed says how: our code, or else the backend's status."""
    metrics = await export(finished(catalog(api=""), usage=None, **outcome))
    (point,) = metrics["gateway", "gen_ai.server.request.duration"].histogram.data_points
    assert attributes_of(point).get("error.type") == expected
    assert ("gateway", "gen_ai.client.token.usage") not in metrics


async def test_our_own_counters() -> None:
    """Refusals by policies, with their codes, and how often the ledger was not to be had."""
    snapshot = catalog(api="")
    refused = finished(snapshot, usage=None, status=401, code="SubscriptionKeyInvalid")
    refused.call.operation = None
    failed = finished(snapshot, usage=None, status=502, code="BackendConnectionFailure")
    with OtlpReceiver() as receiver:
        async with recorder(otlp_endpoint=receiver.url) as made:
            for each in (refused, refused, failed):
                made.record(each.call, each.outcome)
            made.ledger_unavailable()
        metrics = receiver.metrics()
    (point,) = metrics["gateway", "gateway.refusals"].sum.data_points
    assert (attributes_of(point), point.as_int) == ({"error.type": "SubscriptionKeyInvalid"}, 2)
    (point,) = metrics["gateway", "gateway.ledger.unavailable"].sum.data_points
    assert (attributes_of(point), point.as_int) == ({}, 1)


async def test_what_content_safety_found() -> None:
    """By what came of it; timed where the service was asked."""
    snapshot = catalog(api="")
    notes = (SafetyNote("known"), SafetyNote("blocked", 0.03), SafetyNote("blocked", 0.05))
    with OtlpReceiver() as receiver:
        async with recorder(otlp_endpoint=receiver.url) as made:
            for note in notes:
                each = finished(snapshot, usage=None)
                each.call.safety = note
                made.record(each.call, each.outcome)
        metrics = receiver.metrics()
    points = metrics["gateway", "gateway.content_safety"].sum.data_points
    assert {attributes_of(point)["outcome"]: point.as_int for point in points} == {"known": 1, "blocked": 2}
    (point,) = metrics["gateway", "gateway.content_safety.duration"].histogram.data_points
    assert (point.count, round(point.sum, 3)) == (2, 0.08)


async def test_embeddings_have_no_output() -> None:
    """An output of 0 tokens would pull down every average."""
    metrics = await export(finished(catalog(api=""), "embeddings", usage=Usage(5)))
    (point,) = metrics["gateway", "gen_ai.client.token.usage"].histogram.data_points
    assert attributes_of(point)["gen_ai.token.type"] == "input"


async def test_calls_that_are_no_language_models() -> None:
    """Leave nothing: calls that found no API or no operation, and lists of models."""
    snapshot = catalog(api="")
    nowhere = finished(snapshot, usage=None, status=404, code="OperationNotFound")
    nowhere.call.entry = nowhere.call.operation = None
    assert await export(nowhere, finished(snapshot, "models", method="GET", usage=None)) == {}


async def test_models_have_an_end() -> None:
    """Of two thousand models a thousand have series of their own, and one series has the rest."""
    snapshot = catalog(api="")
    metrics = await export(*(finished(snapshot, model=f"m-{number}", usage=None) for number in range(2_000)))
    points = metrics["gateway", "gen_ai.server.request.duration"].histogram.data_points
    (overflow,) = [point for point in points if attributes_of(point) == {"otel.metric.overflow": True}]
    assert (len(points), overflow.count) == (1_001, 1_000)


ODD_MODELS = {
    "a key": (generate(), None),
    "an escaped key": (generate().replace("gw_", "%67w%5f"), None),
    "a key at the edge": ("x" * 190 + generate(), None),
    "half a surrogate": ("gpt-\ud800", "gpt-?"),
    "very long": ("x" * 10_000, "x" * 200),
    "empty": ("", None),
    "other alphabets": ("模型", "模型"),
}


@pytest.mark.parametrize(("model", "expected"), ODD_MODELS.values(), ids=ODD_MODELS.keys())
async def test_what_callers_write(model: str, expected: str | None) -> None:
    """At most 200 characters, no keys, and nothing that would keep the whole batch from being encoded."""
    metrics = await export(finished(catalog(api=""), model=model))
    (point,) = metrics["gateway", "gen_ai.server.request.duration"].histogram.data_points
    assert attributes_of(point).get("gen_ai.request.model") == expected


def test_nowhere_to_export_to() -> None:
    """There is no recorder then."""
    assert build_telemetry(settings()) is None


async def test_a_dead_collector(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Connections refused, again and again: the log has one line in the minute, and none of the exporter's own."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.05")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://somebody:secret@127.0.0.1:{taken.getsockname()[1]}"
        with caplog.at_level(logging.INFO):
            async with recorder(otlp_endpoint=endpoint, metric_export_interval=10) as made:
                ended = finished(catalog(api=""))
                made.record(ended.call, ended.outcome)
                async with asyncio.timeout(10):
                    while not caplog.messages:  # noqa: ASYNC110 - a thread writes it
                        await asyncio.sleep(0.001)
                for _ in range(100):
                    made.record(ended.call, ended.outcome)
                    await asyncio.sleep(0)
    assert caplog.messages == ["metrics do not reach the OTLP endpoint: no answer"]


async def test_a_collector_that_hangs() -> None:
    """Calls are recorded all the while, and the end takes no longer than it may."""
    snapshot = catalog(api="")
    with OtlpReceiver(hangs=True) as receiver:
        async with recorder(otlp_endpoint=receiver.url) as made:
            first = finished(snapshot)
            made.record(first.call, first.outcome)
            await asyncio.to_thread(receiver.wait_for, lambda: receiver.bodies)
            begun = time.perf_counter()
            for _ in range(1_000):
                made.record(first.call, first.outcome)
            assert time.perf_counter() - begun < 1
            begun = time.monotonic()
        assert time.monotonic() - begun < 3
        assert len(receiver.bodies) == 1


async def test_what_came_of_the_cache() -> None:
    """Each call once, by what its caller was told in `x-cache`; embeddings by their time and what they were charged."""
    snapshot = catalog()
    notes = [
        CacheNote("HIT; exact"),
        CacheNote("HIT; semantic", embedding_tokens=7, embedding_seconds=0.03),
        CacheNote("HIT; semantic"),
        CacheNote("MISS", embedding_tokens=5, embedding_seconds=0.3),
        CacheNote("BYPASS; stateful"),
    ]
    ended = [finished(snapshot), *(finished(snapshot) for _ in notes)]
    for each, note in zip(ended[1:], notes, strict=True):
        each.call.cache = note
    metrics = await export(*ended)
    counted = {
        (attributes_of(point)["gateway.cache.result"], attributes_of(point).get("gateway.cache.detail")): point.as_int
        for point in metrics["gateway", "gateway.cache.calls"].sum.data_points
    }
    assert counted == {("hit", "exact"): 1, ("hit", "semantic"): 2, ("miss", None): 1, ("bypass", "stateful"): 1}
    (took,) = metrics["gateway", "gateway.cache.embedding.duration"].histogram.data_points
    assert (took.count, took.sum) == (2, pytest.approx(0.33))
    (charged,) = metrics["gateway", "gateway.cache.embedding.tokens"].sum.data_points
    assert charged.as_int == 12
