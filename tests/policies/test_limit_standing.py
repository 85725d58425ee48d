"""What is told of limits to calls that they do not count."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.call import Call, Reply
from gateway.errors import CallerError, GatewayError, PolicyError, UnavailableError
from gateway.ledger.ledger import Ledger
from gateway.llm.tokenizer import Tokenizer
from gateway.policies.drain import Drains
from gateway.policies.limit import Limit
from gateway.policies.measure import Measure
from gateway.response import GatewayResponse
from tests.ledger.memory_store import MemoryStore
from tests.ledger.virtual_time import now, run
from tests.policies.measured import PROMPT, PROMPT_TOKENS, Backend, counted, make_call, whole
from tests.policies.test_admit import entry
from tests.test_response import JSON_TYPE, Caller, send

ANSWER = "Hello there, world"
LEFT = b"x-ratelimit-remaining-tokens"
TEAM = "{counterKey: team, tokensPerMinute: 1000, estimatePromptTokens: true%s}"


class Limited:
    """Limit and Measure before a backend that reports its usage, or none."""

    def __init__(self, tokenizer: Tokenizer, limits: str) -> None:
        self.store = MemoryStore()
        self.ledger = Ledger(self.store, now)
        self._entry = entry(more=limits)
        self._measure = Measure(self._entry, tokenizer)
        self.limit = Limit(self._entry, self.ledger, tokenizer, Drains())

    def made(self, method: str = "POST", document: dict[str, Any] | None = None) -> Call:
        """A call that has been admitted, and whose body has been read."""
        call = make_call(document)
        call.method, call.entry, call.model = method, self._entry, (document or PROMPT)["model"]
        if method == "GET":
            call.document = call.content = call.protocol = call.model = None
        return call

    async def headers(self, call: Call, usage: Any = None) -> dict[bytes, bytes]:
        """Those of its answer, which its caller has received then."""

        async def measured(call: Call) -> Reply:
            return await self._measure(call, Backend(whole(usage, ANSWER), JSON_TYPE))

        reply = await self.limit(call, measured)
        await send(GatewayResponse(call, reply), Caller())
        return dict(reply.headers)


USED = {"prompt_tokens": 10, "completion_tokens": 20}


def test_a_free_call_is_told_what_this_instance_knows(tokenizer: Tokenizer) -> None:
    """Nothing before the counter has been seen; no storage operation for it, then or later."""

    async def scenario() -> None:
        limited = Limited(tokenizer, f"tokenLimit: {TEAM % ''}")
        assert LEFT not in await limited.headers(limited.made("GET"))
        assert limited.store.operations == []
        await limited.headers(limited.made(), USED)
        await asyncio.sleep(2)
        operations = len(limited.store.operations)
        assert (await limited.headers(limited.made("GET")))[LEFT] == b"970"
        assert len(limited.store.operations) == operations

    run(scenario())


def test_a_free_call_that_a_rate_limit_counts_is_told_of_both(tokenizer: Tokenizer) -> None:
    """Let through, failed or refused."""

    async def scenario() -> None:
        limited = Limited(tokenizer, f"tokenLimit: {TEAM % ''}\nrateLimit: {{counterKey: team, calls: 3}}")
        await limited.headers(limited.made(), USED)
        headers = await limited.headers(limited.made("GET"))
        assert (headers[LEFT], headers[b"x-ratelimit-remaining-requests"]) == (b"970", b"1")

        async def failing(call: Call) -> Reply:
            raise UnavailableError("BackendConnectionsExhausted")

        with pytest.raises(UnavailableError) as failed:
            await limited.limit(limited.made("GET"), failing)
        assert failed.value.headers[LEFT.decode()] == "970"
        with pytest.raises(PolicyError) as refused:
            await limited.headers(limited.made("GET"))
        assert refused.value.headers[LEFT.decode()] == "970"
        assert refused.value.headers["Retry-After"]

    run(scenario())


EARLY: dict[str, tuple[str, dict[str, Any], str]] = {
    "no maximum": (", reserve: prompt+max_tokens", {}, "max_tokens_required"),
    "no number": (", reserve: prompt+max_tokens", {"max_tokens": "5"}, "max_tokens_invalid"),
    "no price": ("}\nbudget: {counterKey: team, usd: 5, period: Daily", {"model": "another"}, "model_not_priced"),
}


@pytest.mark.parametrize(("more", "document", "code"), EARLY.values(), ids=EARLY.keys())
def test_what_cannot_be_reserved_for_is_told(
    tokenizer: Tokenizer, more: str, document: dict[str, Any], code: str
) -> None:
    """The refusal says what is left, which it has not changed."""

    async def scenario() -> None:
        limited = Limited(tokenizer, f"prices: {{gpt-4o: {{input: 1}}}}\ntokenLimit: {TEAM % more}")
        await limited.headers(limited.made(document={**PROMPT, "max_tokens": 5}), USED)
        with pytest.raises(GatewayError) as refused:
            await limited.headers(limited.made(document={**PROMPT, **document}))
        assert (refused.value.code, refused.value.headers[LEFT.decode()]) == (code, "970")

    run(scenario())


def test_what_cannot_be_checked_is_told_as_it_was_last_seen(tokenizer: Tokenizer) -> None:
    """503 has nothing to say of a counter that was never seen."""

    async def scenario() -> None:
        limited = Limited(tokenizer, f"tokenLimit: {TEAM % ', onUnavailable: deny'}")
        limited.store.away = True
        with pytest.raises(UnavailableError) as unseen:
            await limited.headers(limited.made())
        assert dict(unseen.value.headers) == {"retry-after": "5"}
        limited.store.away = False
        await asyncio.sleep(5)
        await limited.headers(limited.made(), USED)
        await asyncio.sleep(5)
        limited.store.away = True
        with pytest.raises(UnavailableError) as seen:
            await limited.headers(limited.made())
        assert seen.value.headers["retry-after"] == "5"
        assert seen.value.headers[LEFT.decode()] == "970"

    run(scenario())


def test_counters_of_models_say_nothing_to_a_call_without_one(tokenizer: Tokenizer) -> None:
    """Another call that named none has a counter of its own."""

    async def scenario() -> None:
        keyed = "{counterKey: team+model, tokensPerMinute: 1000, estimatePromptTokens: true}"
        limited = Limited(tokenizer, f"tokenLimit: {keyed}")
        nameless = limited.made()
        nameless.model = None
        await limited.headers(nameless, USED)
        error = CallerError("UnsupportedMediaType")
        limited.limit.tell(limited.made("GET"), error)
        assert dict(error.headers) == {}
        await limited.headers(limited.made(), USED)
        limited.limit.tell(limited.made(), error)
        assert error.headers[LEFT.decode()] == "970"

    run(scenario())


@pytest.mark.parametrize("more", ["", ", reserve: prompt+max_tokens"], ids=["less reserved", "more reserved"])
def test_an_answer_without_usage_is_held_before_its_head(tokenizer: Tokenizer, more: str) -> None:
    """The head says what is left when it is charged; the end of the call changes nothing."""

    async def scenario() -> None:
        limited = Limited(tokenizer, f"tokenLimit: {TEAM % more}")
        used = PROMPT_TOKENS + counted(tokenizer, ANSWER)
        for calls in (1, 2):
            headers = await limited.headers(limited.made(document={**PROMPT, "max_tokens": 200}))
            assert headers[LEFT] == b"%d" % (1000 - calls * used)
            await asyncio.sleep(1)
        assert (await limited.headers(limited.made("GET")))[LEFT] == b"%d" % (1000 - 2 * used)

    run(scenario())
