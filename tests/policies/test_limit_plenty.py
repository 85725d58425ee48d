"""Far from its limits a call is let through without counting its prompt; near them, never."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.call import Call
from gateway.ledger.ledger import Ledger
from gateway.ledger.meters import Charge
from gateway.ledger.pot import CALLS_OF_PLENTY
from gateway.llm.tokenizer import Tokenizer
from gateway.policies.drain import Drains
from gateway.policies.limit import Limit
from gateway.policies.measure import Measure
from gateway.response import GatewayResponse
from tests.ledger.instances import MINUTE
from tests.ledger.memory_store import MemoryStore
from tests.ledger.virtual_time import now, run
from tests.policies.measured import PROMPT, PROMPT_TOKENS, Backend, counted, make_call, whole
from tests.policies.test_admit import entry
from tests.test_response import JSON_TYPE, Caller, send

ANSWER = "Hello there, world"
TOOL = {"type": "function", "function": {"name": "f", "description": "A tool.", "parameters": {"type": "object"}}}


class Limited:
    """Limit and Measure over a ledger that has been in use for a moment, so that leases are at hand."""

    def __init__(self, tokenizer: Tokenizer, limit: int) -> None:
        limits = f"tokenLimit: {{counterKey: team, tokensPerMinute: {limit}, estimatePromptTokens: true}}"
        self.ledger = Ledger(MemoryStore(), now)
        self._tokens_per_minute = limit
        self._entry = entry(more=limits)
        self._measure = Measure(self._entry, tokenizer)
        self._limit = Limit(self._entry, self.ledger, tokenizer, Drains())

    async def call(self, usage: Any, document: dict[str, Any] | None = None) -> tuple[Call, int, int]:
        """A call; what it held while the backend was at work, and what is left when it is over."""
        call = make_call(document)
        call.entry = self._entry
        before = self.left()
        held = 0

        async def measured(call: Call) -> Any:
            nonlocal held
            held = before - self.left()
            return await self._measure(call, Backend(whole(usage, ANSWER), JSON_TYPE))

        await send(GatewayResponse(call, await self._limit(call, measured)), Caller())
        return call, held, before - self.left()

    def left(self) -> int:
        return self.ledger.standing(Charge("team", MINUTE, self._tokens_per_minute, 0))[0]


async def _warm(limited: Limited) -> None:
    """Calls until leases are at hand."""
    for _ in range(20):
        await limited.call({"prompt_tokens": PROMPT_TOKENS, "completion_tokens": 1})
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("reported", [True, False], ids=["usage reported", "usage not reported"])
def test_with_plenty_left_the_bytes_are_held_and_the_tokens_charged(tokenizer: Tokenizer, reported: bool) -> None:
    """Nobody counts before the call; what is charged in the end is what it used."""

    async def scenario() -> None:
        limited = Limited(tokenizer, 100_000_000)
        await _warm(limited)
        usage = {"prompt_tokens": 11, "completion_tokens": 12} if reported else None
        call, held, charged = await limited.call(usage)
        # Where nothing is reported it is counted when the answer is there.
        assert call.estimated_prompt == (None if reported else PROMPT_TOKENS)
        assert held == len(make_call().content or b"") > PROMPT_TOKENS
        assert charged == (11 + 12 if reported else PROMPT_TOKENS + counted(tokenizer, ANSWER))

    run(scenario())


def test_with_less_left_the_prompt_is_counted(tokenizer: Tokenizer) -> None:
    """The limit is small for a thousand calls like this one: exactly its tokens are held."""

    async def scenario() -> None:
        limited = Limited(tokenizer, CALLS_OF_PLENTY * len(make_call().content or b""))
        await _warm(limited)
        call, held, charged = await limited.call({"prompt_tokens": 11, "completion_tokens": 12})
        assert held == call.estimated_prompt == PROMPT_TOKENS
        assert charged == 11 + 12

    run(scenario())


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [TOOL]},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a/b.png"}}]}]},
        {"messages": [{"role": "user", "content": "x", "name": "team"}]},
    ],
    ids=["tools", "a schema", "a picture", "a name"],
)
def test_what_may_cost_more_than_its_bytes_is_counted(tokenizer: Tokenizer, more: dict[str, Any]) -> None:
    """However much is left."""

    async def scenario() -> None:
        limited = Limited(tokenizer, 100_000_000)
        await _warm(limited)
        call, held, _ = await limited.call({"prompt_tokens": 1, "completion_tokens": 1}, {**PROMPT, **more})
        assert held == call.estimated_prompt

    run(scenario())
