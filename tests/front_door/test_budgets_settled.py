"""What stands in a budget's count when a stream is over: its cost, and nothing of what was reserved ahead of it."""

from __future__ import annotations

import asyncio
import json

import httpx2

from gateway.ledger.meters import meter_named
from gateway.ledger.record import Record
from gateway.settings import Settings
from gateway.storage.ledger import LedgerStore
from gateway.storage.tables import Tables
from tests.front_door.system import System, wait_until

API = """
kind: Api
name: priced
path: priced
type: openai
backend: model
products: [starter]
prices: {stand-in: {input: 1, output: 10}}
budget: {counterKey: priced, usd: 5, period: Yearly, onExceeded: stop}
"""
# Billionths of a dollar a token.
INPUT, OUTPUT = 1_000, 10_000


def spent(system: System) -> int:
    """What the record says, in billionths of a dollar."""

    async def read() -> int:
        tables = Tables(Settings.from_environment(system.environment))
        try:
            stored = await LedgerStore(tables).read("priced")
        finally:
            await tables.aclose()
        return (
            0 if stored is None else sum(Record.from_text(stored.text).count(meter_named("usd/Yearly")).slots.values())
        )

    return asyncio.run(read())


def test_a_short_stream_costs_what_it_cost(system: System) -> None:
    """Each reserves the price of 64 tokens ahead, and uses three or four of them."""
    system.apply(API)
    headers = {"api-key": system.keys["team"], "x-stand-in-words": "3"}
    wait_until(lambda: httpx2.get(f"{system.url}/priced/models", headers=headers).status_code == 200)
    cost = 0
    body = {
        "model": "stand-in",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    for _ in range(5):
        answer = httpx2.post(f"{system.url}/priced/chat/completions", headers=headers, json=body, timeout=30)
        events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
        usage = events[-1]["usage"]
        cost += usage["prompt_tokens"] * INPUT + usage["completion_tokens"] * OUTPUT
    assert cost > 0
    wait_until(lambda: spent(system) == cost, 10)
