"""The queries, run on lines that the gateway's own log wrote: the figures are those that one reckons by hand."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import duckdb_kql
import pytest

from gateway.call import CacheNote, Call, Caller, Outcome
from gateway.llm.usage import Usage
from gateway.request_log import log_request
from tests.infra.bicep_file import INFRA
from tests.test_pipeline import make_call

PRICES = {"gpt-4o": {"input": 2.5, "cachedInput": 1.25, "output": 10}}
AT = "2026-11-23 08:15:30"
Rows = list[tuple[Any, ...]]
Query = Callable[[str], Rows]


class Logged(NamedTuple):
    """A call as it ended, and how long it took."""

    call: Call
    outcome: Outcome
    milliseconds: float = 1_000.0


def _call(model: str | None = "gpt-4o", subscription: str | None = "team") -> Call:
    call = make_call()
    call.model = model
    call.caller = Caller(subscription)
    return call


def _answered(usage: Usage, subscription: str | None, milliseconds: float) -> Logged:
    call = _call(subscription=subscription)
    call.usage = usage
    return Logged(call, Outcome(status=200), milliseconds)


def _looked_up(status: str) -> Logged:
    call = _call()
    call.cache = CacheNote(status, embedding_tokens=5)
    return Logged(call, Outcome(status=200), 10.0)


CALLS = [
    *[_answered(Usage(1_000, 100, 400), "team", 1_000.0) for _ in range(20)],
    *[_answered(Usage(500, 10), None, 10_000.0) for _ in range(5)],
    *[Logged(_call(subscription="other"), Outcome(status=502, code="BackendUnreachable")) for _ in range(4)],
    Logged(_call(model=None, subscription=None), Outcome(status=401, code="SubscriptionKeyNotFound")),
    *[_looked_up(status) for status in ("HIT; exact", "HIT; semantic", "MISS", "BYPASS; stream")],
]
# What a call is logged with that content safety stopped, or could not look at.
SAFETY = [
    {"contentSafety": "blocked", "code": "content_filter", "status": 403},
    {"contentSafety": "unavailable", "milliseconds": 1_000.0},
]
METRICS = [
    ("gateway.refusals", 1, 3.0, {"error.type": "rate_limit_exceeded"}),
    ("gateway.refusals", 1, 4.0, {"error.type": "rate_limit_exceeded"}),
    ("gateway.ledger.unavailable", 1, 2.0, {}),
    ("gen_ai.server.time_to_first_token", 4, 2.0, {"gen_ai.request.model": "gpt-4o"}),
]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log has of CALLS, with their times; content safety's fields are added to lines of the same kind."""
    with caplog.at_level(logging.INFO, "gateway.request"):
        for logged in CALLS:
            log_request(logged.call, logged.outcome)
        log_request(_call(), Outcome(status=200))
    *written, last = [json.loads(line) for line in caplog.messages]
    timed = [line | {"milliseconds": logged.milliseconds} for line, logged in zip(written, CALLS, strict=True)]
    documents = [*timed, *(last | fields for fields in SAFETY), {"time": "of somebody else"}]
    return [*(json.dumps(document, separators=(",", ":")) for document in documents), "a line of somebody else"]


@pytest.fixture
def query(lines: list[str]) -> Query:
    """Runs a query of the workbook or an alert, by name."""
    connection = duckdb_kql.connect()
    connection.sql("CREATE TABLE traces (timestamp TIMESTAMP, message VARCHAR)")
    connection.executemany("INSERT INTO traces VALUES (?, ?)", [[AT, line] for line in lines])
    connection.sql(
        "CREATE TABLE customMetrics (timestamp TIMESTAMP, name VARCHAR, valueCount INTEGER, valueSum DOUBLE, "
        "customDimensions JSON)"
    )
    connection.executemany(
        "INSERT INTO customMetrics VALUES (?, ?, ?, ?, ?)",
        [[AT, name, count, total, json.dumps(dimensions)] for name, count, total, dimensions in METRICS],
    )
    workbook = json.loads((INFRA / "workbook.json").read_text())
    queries = {item["name"]: item["content"]["query"] for item in workbook["items"] if item["type"] == 3}
    queries |= {path.stem: path.read_text() for path in (INFRA / "queries").glob("*.kql")}

    def run(name: str) -> Rows:
        text = queries[name].replace("{TimeRange:grain}", "5m").replace("{Prices}", json.dumps(PRICES))
        # This engine cannot look a price up by a column; all calls that cost something here are of one model.
        rows: Rows = duckdb_kql.query(connection, text.replace("prices[Model]", 'prices["gpt-4o"]')).fetchall()
        return rows

    return run


def test_overview(query: Query) -> None:
    """Calls, tokens, percentages and times."""
    ((calls, tokens, failed, refused, median, late, own),) = query("overview")
    assert (calls, tokens) == (36, 20 * 1_100 + 5 * 510)
    assert (failed, refused) == (round(400 / 36, 2), round(200 / 36, 2))
    assert (median, late) == (1_000, 10_000)
    assert own >= 0


def test_tokens_by_subscription_and_model(query: Query) -> None:
    """Who has no subscription is told as such."""
    tokens = {subscription: count for subscription, _, count in query("tokens-by-subscription")}
    assert tokens["team"] == 20 * 1_100
    assert tokens["(none)"] == 5 * 510
    assert query("tokens-by-model") == [("gpt-4o", 25, 22_500, 8_000, 2_050, 0)]


def test_cost(query: Query) -> None:
    """Cached tokens at their own price; a million tokens are what a price is for."""
    team = 20 * (600 * 2.5 + 400 * 1.25 + 100 * 10) / 1_000_000
    others = 5 * (500 * 2.5 + 10 * 10) / 1_000_000
    rows = query("cost")
    assert [row[:3] for row in rows] == [("team", "gpt-4o", 20), ("(none)", "gpt-4o", 5)]
    assert [row[3] for row in rows] == pytest.approx([team, others], abs=0.0001)
    ((model, _, cost),) = [(row[0], row[1], row[2]) for row in query("cost-over-time")]
    assert model == "gpt-4o"
    assert cost == pytest.approx(team + others)


def test_refusals_and_failures(query: Query) -> None:
    """By reason; the most frequent failure first."""
    assert [(reason, refused) for reason, _, refused in query("refusals")] == [("rate_limit_exceeded", 7.0)]
    failures = [(status, code, calls) for status, code, _, calls, _ in query("failures")]
    assert failures[0] == (502, "BackendUnreachable", 4)
    assert set(failures[1:]) == {(401, "SubscriptionKeyNotFound", 1), (403, "content_filter", 1)}


def test_times(query: Query) -> None:
    """Percentiles of answers, and the mean time to the first token."""
    ((_, median, late, latest),) = query("latency-over-time")
    assert (median, late, latest) == (1_000, 10_000, 10_000)
    ((model, _, seconds),) = query("first-token")
    assert (model, seconds) == ("gpt-4o", 0.5)


def test_cache_and_safety(query: Query) -> None:
    """Hits of both kinds count as hits; what was blocked is told by subscription."""
    ((_, calls, exact, semantic, missed, passed_by, tokens, percent),) = query("cache")
    assert (calls, exact, semantic, missed, passed_by, tokens, percent) == (4, 1, 1, 1, 1, 20, 50.0)
    assert {outcome: count for outcome, _, count in query("safety")} == {"blocked": 1, "unavailable": 1}
    assert [row[:1] + row[2:3] for row in query("safety-blocks")] == [("team", 1)]


def test_alerts(query: Query) -> None:
    """Each gives one figure, for the rule to compare."""
    assert query("error-rate") == [(round(400 / 36, 2),)]
    assert query("latency") == [(10.0,)]
    assert query("ledger-unavailable") == [(2.0,)]
    assert query("safety-unavailable") == [(1,)]
