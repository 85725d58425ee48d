"""Callers who leave a stream anywhere, with limits: the ledger holds what was delivered afterwards."""

from __future__ import annotations

import asyncio

import pytest

from gateway.catalog.snapshot import ApiEntry
from gateway.ledger.ledger import Ledger
from gateway.ledger.meters import Calendar, Meter
from gateway.llm.events import split_events
from gateway.llm.tokenizer import Tokenizer
from gateway.llm.usage import delivered_text
from gateway.policies.drain import Drains
from gateway.policies.limit import Limit
from gateway.policies.measure import Measure
from gateway.response import GatewayResponse
from tests.ledger.memory_store import MemoryStore
from tests.ledger.virtual_time import now, run
from tests.policies.measured import DONE, PROMPT_TOKENS, USAGE, WORDS, Backend, chunk, counted, make_call
from tests.policies.test_admit import entry
from tests.policies.test_measure_leaving import LeavingCaller
from tests.test_response import EVENTS, Body, send

LIMITS = """
prices: {gpt-4o: {input: 1, output: 10}}
tokenLimit:
  counterKey: team
  tokenQuota: 100000000
  tokenQuotaPeriod: Yearly
  estimatePromptTokens: true
  onDisconnect: %s
budget: {counterKey: team, usd: 1000, period: Yearly}
rateLimit: {counterKey: team, calls: 100000, renewalPeriod: 3600}
"""
INPUT, OUTPUT = 1_000, 10_000
PIECES = [*map(chunk, WORDS), USAGE, DONE]
UNREPORTED = [*map(chunk, WORDS), DONE]


class Limited:
    """Limit and Measure, as the pipeline has them, over a ledger of which all storage is known."""

    def __init__(self, tokenizer: Tokenizer, on_disconnect: str) -> None:
        self.store = MemoryStore()
        self.ledger = Ledger(self.store, now)
        self.drains = Drains()
        self._entry: ApiEntry = entry(more=LIMITS % on_disconnect)
        self._tokenizer = tokenizer
        self._limit = Limit(self._entry, self.ledger, tokenizer, self.drains)

    async def leave(self, pieces: list[bytes], room: int) -> str:
        """One call whose caller takes so many bytes; returns the text that has arrived."""
        call, body = make_call(), Body(*pieces)
        call.entry = self._entry
        measure, backend = Measure(self._entry, self._tokenizer), Backend(body, EVENTS)
        reply = await self._limit(call, lambda call: measure(call, backend))
        caller = LeavingCaller(room)
        await send(GatewayResponse(call, reply), caller)
        documents = [event.document() or {} for event in split_events(caller.body)]
        return "".join(text for document in documents for text in delivered_text(document))

    def stored(self, unit: str) -> int:
        slots = self.store.record("team").counts[Meter(unit, Calendar("Yearly"))].slots  # type: ignore[arg-type]
        return sum(slots.values())


@pytest.mark.parametrize("together", [1, 40], ids=["one after the other", "many at once"])
def test_a_caller_who_leaves_at_every_byte(tokenizer: Tokenizer, together: int) -> None:
    """The sum of what is settled is the sum of what was delivered, in tokens and in money; nothing is held after it."""

    async def scenario() -> None:
        limited = Limited(tokenizer, "stop")
        rooms = range(len(b"".join(UNREPORTED)))
        texts: list[str] = []
        for first in range(0, len(rooms), together):
            batch = [limited.leave(UNREPORTED, room) for room in rooms[first : first + together]]
            texts += await asyncio.gather(*batch)
        delivered = sum(counted(tokenizer, text) for text in texts)
        assert 0 < delivered < len(rooms) * counted(tokenizer, "".join(WORDS))
        assert [account.holdings for account in limited.ledger.accounts.values()] == [0]
        await limited.ledger.aclose()
        assert limited.stored("tokens") == len(rooms) * PROMPT_TOKENS + delivered
        assert limited.stored("usd") == len(rooms) * PROMPT_TOKENS * INPUT + delivered * OUTPUT
        counts = limited.store.record("team").counts
        assert sum(sum(count.slots.values()) for meter, count in counts.items() if meter.unit == "calls") == len(rooms)

    run(scenario())


def test_a_drained_answer_costs_what_was_reported(tokenizer: Tokenizer) -> None:
    """Wherever the caller left, once each, and no drain is left over."""

    async def scenario() -> None:
        limited = Limited(tokenizer, "drain")
        rooms = range(0, len(b"".join(map(chunk, WORDS))), 7)
        for room in rooms:
            await limited.leave(PIECES, room)
            await asyncio.sleep(0.01)
        assert len(limited.drains) == 0
        assert [account.holdings for account in limited.ledger.accounts.values()] == [0]
        await limited.ledger.aclose()
        assert limited.stored("tokens") == len(rooms) * (11 + 12)
        assert limited.stored("usd") == len(rooms) * (11 * INPUT + 12 * OUTPUT)

    run(scenario())
