"""Metrics through the whole system: a real worker exports to a real OTLP receiver, which decodes what it gets."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from local.processes import REPOSITORY
from tests.front_door.system import System, wait_until
from tests.telemetry.receivers import OtlpReceiver, attributes_of

# The app as it is, but it says what it imports to export with.
APP = f"""
import sys

sys.path.insert(1, {str(REPOSITORY)!r})


class Watch:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.startswith(("opentelemetry", "azure.monitor")):
            print("importing", name, file=sys.stderr, flush=True)


sys.meta_path.insert(0, Watch)
exec(compile(open({str(REPOSITORY / "function_app.py")!r}).read(), "function_app.py", "exec"))
"""

METERED = """
kind: Api
name: metered
path: metered
type: openai
backend: model
products: [starter]
tokenMetrics:
  namespace: acme
  dimensions: {Team: "header:x-team", "Subscription ID": null, "API ID": null, Region: north}
"""

HELLO: Any = [{"role": "user", "content": "Say hello to the whole world"}]


def watched(folder: Path, environment: dict[str, str]) -> System:
    """A running system with this app and a metered API."""
    folder.mkdir()
    (folder / "function_app.py").write_text(APP)
    shutil.copy(REPOSITORY / "host.json", folder)
    system = System(app=folder, environment=environment)
    try:
        system.start()
        system.apply(METERED)
        wait_until(lambda: chat(system, team="warm-up").status_code == 200)
    except BaseException:
        system.stop()
        raise
    return system


def chat(system: System, team: str, **wishes: str) -> httpx2.Response:
    headers = {"api-key": system.keys["team"], "x-team": team, **wishes}
    body = {"model": "stand-in", "messages": HELLO}
    return httpx2.post(f"{system.url}/metered/chat/completions", headers=headers, json=body, timeout=30)


def imported(system: System) -> list[str]:
    return [line for line in system.lines if "importing" in line]


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A collector of the test's own."""
    with OtlpReceiver() as running:
        yield running


@pytest.fixture
def exporting(receiver: OtlpReceiver, tmp_path: Path) -> Iterator[System]:
    """A system that exports to it five times a second."""
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_METRIC_EXPORT_INTERVAL": "200"}
    system = watched(tmp_path / "app", settings)
    try:
        yield system
    finally:
        system.stop()


def points(receiver: OtlpReceiver, meter: str, name: str, **wanted: str) -> list[Any]:
    """The last export's points of a metric that have these attributes."""
    metric = receiver.metrics().get((meter, name))
    if metric is None:
        return []
    found = getattr(metric, metric.WhichOneof("data")).data_points
    return [point for point in found if wanted.items() <= attributes_of(point).items()]


def test_what_a_call_exports(receiver: OtlpReceiver, exporting: System) -> None:
    """Tokens by the policy's dimensions and by OpenTelemetry's conventions, of whole answers and of streams."""
    usage = chat(exporting, team="blue").json()["usage"]
    with OpenAI(
        base_url=f"{exporting.url}/metered",
        api_key=exporting.keys["team"],
        max_retries=0,
        default_headers={"x-team": "blue"},
    ) as client:
        stream = client.chat.completions.create(
            model="stand-in", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        streamed = [chunk.usage for chunk in stream if chunk.usage][-1]
    assert streamed is not None
    expected = {
        "Total Tokens": usage["total_tokens"] + streamed.total_tokens,
        "Prompt Tokens": usage["prompt_tokens"] + streamed.prompt_tokens,
        "Completion Tokens": usage["completion_tokens"] + streamed.completion_tokens,
    }

    def counted() -> dict[str, int]:
        return {name: sum(point.as_int for point in points(receiver, "acme", name, Team="blue")) for name in expected}

    receiver.wait_for(lambda: counted() == expected)
    (point,) = points(receiver, "acme", "Total Tokens", Team="blue")
    dimensions = {"Team": "blue", "Subscription ID": "team", "API ID": "metered", "Region": "north"}
    assert attributes_of(point) == dimensions

    call = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "stand-in"}
    warm_up = points(receiver, "acme", "Prompt Tokens", Team="warm-up")[0].as_int
    (sent,) = points(receiver, "gateway", "gen_ai.client.token.usage", **call, **{"gen_ai.token.type": "input"})
    assert sent.sum == expected["Prompt Tokens"] + warm_up
    (durations,) = points(receiver, "gateway", "gen_ai.server.request.duration", **call)
    assert durations.count == sent.count == 3
    assert 0 < durations.sum < 30
    (first_tokens,) = points(receiver, "gateway", "gen_ai.server.time_to_first_token", **call)
    assert first_tokens.count == 1
    assert set(receiver.paths) == {"/v1/metrics"}
    assert imported(exporting)


def test_what_a_failed_call_exports(receiver: OtlpReceiver, exporting: System) -> None:
    """How long it took and why it failed, and no tokens."""
    assert chat(exporting, "red", **{"x-stand-in-status": "500"}).status_code == 500
    name = "gen_ai.server.request.duration"

    def failed() -> list[Any]:
        return [point for point in points(receiver, "gateway", name) if "error.type" in attributes_of(point)]

    (point,) = receiver.wait_for(failed)
    assert (attributes_of(point)["error.type"], point.count) == ("500", 1)
    assert points(receiver, "acme", "Total Tokens", Team="red") == []


def test_a_collector_that_hangs(receiver: OtlpReceiver, exporting: System) -> None:
    """Calls do not notice."""
    receiver._freed.clear()
    before = len(receiver.bodies)
    receiver.wait_for(lambda: len(receiver.bodies) > before)
    for _ in range(10):
        began = time.monotonic()
        assert chat(exporting, "blue").status_code == 200
        assert time.monotonic() - began < 2
    receiver._freed.set()


def test_nobody_wants_metrics(tmp_path: Path) -> None:
    """Without the setting not a module of OpenTelemetry is imported, by any call."""
    system = watched(tmp_path / "app", {})
    try:
        for _ in range(3):
            assert chat(system, "blue").status_code == 200
        system._host.stop()
        assert imported(system) == []
    finally:
        system.stop()
