"""Counting calls in memory and writing them in the background, in virtual time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from copy import copy
from typing import Any

import pytest

from gateway.call import Call, Caller, Outcome
from gateway.catalog.keys import generate
from gateway.errors import StorageUnavailable
from gateway.llm.usage import Usage
from gateway.storage.usage import Figures, UsageKey, UsageRow, partition_of
from gateway.usage_recorder import MOST_MODELS, MOST_ROWS, OTHER, UsageRecorder
from tests.ledger.virtual_time import BEGIN, now, run
from tests.policies.test_admit import entry
from tests.test_pipeline import make_call

ENTRY = entry()
REFUSALS = frozenset({"token_limit_exceeded"})
FLUSH_SECONDS = 2.0


class MemoryStore:
    """A usage table in memory, which can be away, or take a write and lose the answer."""

    def __init__(self) -> None:
        self.rows: dict[str, UsageRow] = {}
        self.writes: list[int] = []
        self.is_away = False
        self.loses_answers = False
        self.seconds = 0.0

    async def write(self, rows: Sequence[UsageRow]) -> None:
        self.writes.append(len(rows))
        taken = [UsageRow(row.hour, row.key, copy(row.figures), row.name) for row in rows]
        await asyncio.sleep(self.seconds)
        if self.is_away:
            raise StorageUnavailable("away")
        assert len({row.hour for row in taken}) == 1
        self.rows |= {f"{partition_of(row.hour)}/{row.name}": row for row in taken}
        if self.loses_answers:
            raise StorageUnavailable("no answer")

    def total(self) -> Figures:
        """All rows added up."""
        found = Figures()
        for row in self.rows.values():
            found.add(row.figures)
        return found


def finished(model: str | None = "gpt-4o", subscription: str | None = "team-a", **fields: Any) -> Call:
    """A call that is over."""
    call = make_call()
    call.entry = ENTRY
    call.model = model
    call.caller = Caller(subscription, ENTRY.products[0] if subscription else None)
    for name, value in fields.items():
        setattr(call, name, value)
    return call


def recorder_on(store: MemoryStore) -> UsageRecorder:
    """One that lives in virtual time."""
    return UsageRecorder(store, REFUSALS, FLUSH_SECONDS, now)


async def recorded(*calls: tuple[Call, Outcome]) -> MemoryStore:
    """What is stored when these calls are over."""
    store = MemoryStore()
    recorder = recorder_on(store)
    for call, outcome in calls:
        recorder.record(call, outcome)
    await recorder.aclose()
    return store


USED = Usage(100, 20, 30, 5)
CASES: dict[str, tuple[dict[str, Any], Outcome, Figures]] = {
    "answered": (
        {"usage": USED, "cost": 70},
        Outcome(200),
        Figures(calls=1, prompt=100, cached=30, completion=20, reasoning=5, cost=70),
    ),
    "no price": (
        {"usage": USED},
        Outcome(200),
        Figures(calls=1, unpriced=1, prompt=100, cached=30, completion=20, reasoning=5),
    ),
    "nothing used": ({}, Outcome(502, "BackendUnreachable"), Figures(calls=1)),
    "refused by a limit": ({}, Outcome(429, "token_limit_exceeded"), Figures(calls=1, refusals=1)),
    "a stream that a limit has ended": ({}, Outcome(200, "token_limit_exceeded"), Figures(calls=1)),
    "refused otherwise": ({}, Outcome(401, "SubscriptionKeyNotFound"), Figures(calls=1)),
    "from the cache": ({}, Outcome(200, cached=True), Figures(calls=1, cache_hits=1)),
}


@pytest.mark.parametrize(("fields", "outcome", "expected"), CASES.values(), ids=CASES.keys())
def test_what_a_call_counts(fields: dict[str, Any], outcome: Outcome, expected: Figures) -> None:
    """Once by itself, and twice as much for two of it."""
    (once,) = run(recorded((finished(**fields), outcome))).rows.values()
    assert once.figures == expected
    (twice,) = run(recorded(*[(finished(**fields), outcome)] * 2)).rows.values()
    expected = copy(expected)
    expected.add(expected)
    assert twice.figures == expected


KEYS = {
    "all known": ({}, UsageKey("team-a", "starter", "chat", "gpt-4o")),
    "no subscription": ({"subscription": None}, UsageKey("", "", "chat", "gpt-4o")),
    "no model": ({"model": None}, UsageKey("team-a", "starter", "chat", "")),
    "a key for a model": ({"model": f"x {generate()}"}, UsageKey("team-a", "starter", "chat", "")),
    "a long model": ({"model": "m" * 300}, UsageKey("team-a", "starter", "chat", "m" * 200)),
    "no characters for a table": ({"model": "a\x00\ud800\n模"}, UsageKey("team-a", "starter", "chat", "a???模")),
}


@pytest.mark.parametrize(("fields", "key"), KEYS.values(), ids=KEYS.keys())
def test_whom_a_call_is_counted_for(fields: dict[str, Any], key: UsageKey) -> None:
    """Subscription, product, API and model; empty where there is none."""
    (row,) = run(recorded((finished(**fields), Outcome(200)))).rows.values()
    assert row.key == key


def test_a_call_without_an_api_is_nobodys() -> None:
    """It was answered before any API was found."""
    assert run(recorded((finished(entry=None), Outcome(404, "OperationNotFound")))).writes == []


def test_changes_are_written_within_the_interval_and_idle_instances_write_nothing() -> None:
    """Only the rows that changed, cumulative ones; and no timer runs while there are no calls."""

    async def work() -> None:
        store = MemoryStore()
        recorder = recorder_on(store)
        recorder.start()
        await asyncio.sleep(3_000)
        assert store.writes == []
        for model in ("a", "b"):
            recorder.record(finished(model), Outcome(200))
        await asyncio.sleep(FLUSH_SECONDS + 0.1)
        assert (store.writes, store.total().calls) == ([2], 2)
        recorder.record(finished("a"), Outcome(200))
        await asyncio.sleep(FLUSH_SECONDS + 0.1)
        assert (store.writes, store.total().calls) == ([2, 1], 3)
        await asyncio.sleep(100)
        assert len(store.writes) == 2
        await recorder.aclose()
        assert len(store.writes) == 2

    run(work())


def test_an_idle_recorder_has_no_timer() -> None:
    """The virtual loop says so: nothing is left that could happen."""

    async def work() -> None:
        recorder = recorder_on(MemoryStore())
        recorder.start()
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="nothing is left"):
        run(work())


def test_closing_writes_the_rest_even_in_the_middle_of_a_write() -> None:
    """What was under way is written again, whole, and counts once."""

    async def work() -> MemoryStore:
        store = MemoryStore()
        store.seconds = 1.0
        recorder = recorder_on(store)
        recorder.start()
        recorder.record(finished(), Outcome(200))
        await asyncio.sleep(FLUSH_SECONDS + 0.5)
        recorder.record(finished(), Outcome(200))
        await recorder.aclose()
        return store

    store = run(work())
    assert (store.total().calls, store.writes) == (2, [1, 1])


def test_what_changes_during_a_write_is_written_the_next_time() -> None:
    """Nothing falls between two writes."""

    async def work() -> MemoryStore:
        store = MemoryStore()
        store.seconds = 1.0
        recorder = recorder_on(store)
        recorder.start()
        for _ in range(70):
            recorder.record(finished(), Outcome(200))
            await asyncio.sleep(0.1)
        await asyncio.sleep(FLUSH_SECONDS + 2 * store.seconds)
        assert store.total().calls == 70
        await recorder.aclose()
        return store

    assert run(work()).total().calls == 70


def test_hours_have_rows_of_their_own_and_old_ones_are_forgotten() -> None:
    """A call belongs to the hour in which it ends; the hour before is written first."""

    async def work() -> MemoryStore:
        store = MemoryStore()
        recorder = recorder_on(store)
        recorder.start()
        await asyncio.sleep(3_600 - 1)
        recorder.record(finished(), Outcome(200))
        await asyncio.sleep(1)
        recorder.record(finished(), Outcome(200))
        await recorder.aclose()
        return store

    store = run(work())
    assert sorted(place.partition("/")[0] for place in store.rows) == ["2027-01-15T08", "2027-01-15T09"]
    assert store.writes == [1, 1]


def test_a_clock_that_goes_back_into_an_hour_loses_nothing() -> None:
    """The hour's new rows do not take the place of those that were written and forgotten."""
    moments = iter([BEGIN, BEGIN + 3_600, BEGIN])

    async def work() -> MemoryStore:
        store = MemoryStore()
        recorder = UsageRecorder(store, REFUSALS, FLUSH_SECONDS, lambda: next(moments))
        for _ in range(3):
            recorder.record(finished(), Outcome(200))
            await recorder.flush()
        return store

    assert run(work()).total().calls == 3


def test_storage_away_loses_nothing_and_is_said_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """Over ten minutes, with hours changing; when it is back everything is there, once."""

    async def work() -> MemoryStore:
        store = MemoryStore()
        recorder = recorder_on(store)
        recorder.start()
        store.is_away = True
        await asyncio.sleep(3_300)
        for _ in range(600):
            recorder.record(finished(), Outcome(200))
            await asyncio.sleep(1)
        store.is_away, store.loses_answers = False, True
        await asyncio.sleep(FLUSH_SECONDS + 1)
        store.loses_answers = False
        await asyncio.sleep(FLUSH_SECONDS + 1)
        assert store.total().calls == 600
        await recorder.aclose()
        return store

    with caplog.at_level(logging.WARNING, "gateway.usage"):
        store = run(work())
    assert len(store.rows) == 2
    assert 9 <= len(caplog.messages) <= 11
    assert set(caplog.messages[:9]) == {"usage cannot be written, and is kept until it can be: away"}


def test_a_fault_of_our_own_is_told_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """The background task does not die of it."""

    class Broken(MemoryStore):
        """Fails in a way nobody foresaw, the first time."""

        async def write(self, rows: Sequence[UsageRow]) -> None:
            if not self.writes:
                self.writes.append(0)
                raise ZeroDivisionError
            await super().write(rows)

    async def work() -> MemoryStore:
        store = Broken()
        recorder = recorder_on(store)
        recorder.start()
        recorder.record(finished(), Outcome(200))
        await asyncio.sleep(2 * FLUSH_SECONDS + 1)
        return store

    with caplog.at_level(logging.WARNING, "gateway.usage"):
        assert run(work()).total().calls == 1
    assert "ZeroDivisionError" in caplog.text


def test_a_stop_while_storage_hangs_says_what_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    """It waits five seconds and no longer."""

    async def work() -> float:
        store = MemoryStore()
        store.seconds = 1_000.0
        recorder = recorder_on(store)
        recorder.record(finished(), Outcome(200))
        await recorder.aclose()
        return asyncio.get_running_loop().time()

    assert run(work()) == pytest.approx(5.0)
    assert caplog.messages[0].startswith("1 rows of usage are lost")


def test_many_rows_go_in_transactions_of_a_hundred() -> None:
    """The most that a table takes at once."""
    calls = [(finished(subscription=f"team-{number}"), Outcome(200)) for number in range(250)]
    assert run(recorded(*calls)).writes == [100, 100, 50]


def test_models_that_callers_make_up_are_counted_as_one() -> None:
    """Beyond a hundred in an hour for one subscription, product and API; others keep their own."""
    noisy = [(finished(f"model-{number}"), Outcome(200)) for number in range(10_000)]
    store = run(recorded(*noisy, (finished(subscription="team-b"), Outcome(200))))
    by_key = {row.key: row.figures.calls for row in store.rows.values()}
    assert len(by_key) == MOST_MODELS + 2
    assert by_key[UsageKey("team-a", "starter", "chat", OTHER)] == 10_000 - MOST_MODELS
    assert by_key[UsageKey("team-b", "starter", "chat", "gpt-4o")] == 1


def test_rows_of_an_hour_are_bounded() -> None:
    """Beyond some thousands each subscription has one more for each API, whatever the model."""
    subscriptions = [f"team-{number}" for number in range(MOST_ROWS // MOST_MODELS + 5)]
    calls = [
        (finished(f"model-{number}", subscription), Outcome(200))
        for subscription in subscriptions
        for number in range(MOST_MODELS)
    ]
    store = run(recorded(*calls))
    assert len(store.rows) == MOST_ROWS + 5
    assert store.total().calls == len(calls)
