"""Streams that come in any pieces, to callers who leave anywhere."""

import asyncio
import gc
from typing import Any

import pytest

from gateway.call import Call
from gateway.llm.events import split_events
from gateway.llm.tokenizer import Tokenizer
from gateway.llm.usage import Usage, delivered_text
from gateway.policies.measure import Measure
from gateway.response import GatewayResponse
from tests.objects import Since
from tests.policies.measured import (
    DONE,
    PROMPT_TOKENS,
    STREAM,
    USAGE,
    WORDS,
    Backend,
    chunk,
    counted,
    in_pieces,
    make_call,
    run,
)
from tests.policies.test_admit import entry
from tests.test_response import EVENTS, Body, Caller, send


class LeavingCaller(Caller):
    """Accepts so many bytes; the message that goes beyond never arrives, and the caller is gone."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room

    async def send(self, message: Any) -> None:
        self._room -= len(message.get("body", b""))
        if self._room < 0:
            self.leaves.set()
            await asyncio.Future()
        await super().send(message)


async def leave(tokenizer: Tokenizer, pieces: list[bytes], room: int) -> tuple[Call, Body, str]:
    """The call of a caller who leaves so far into the answer, its body, and the text that the caller has received."""
    call, body = make_call(), Body(*pieces)
    reply = await Measure(entry(), tokenizer)(call, Backend(body, EVENTS))
    caller = LeavingCaller(room)
    await asyncio.wait_for(send(GatewayResponse(call, reply), caller), 10)
    documents = [event.document() or {} for event in split_events(caller.body)]
    return call, body, "".join(text for document in documents for text in delivered_text(document))


EVERY_EVENT = [*map(chunk, WORDS), DONE]
CUTS: dict[str, list[bytes]] = {
    "an event at a time": EVERY_EVENT,
    "two at a time": [b"".join(EVERY_EVENT[place : place + 2]) for place in range(0, len(EVERY_EVENT), 2)],
    "a few bytes at a time": in_pieces(b"".join(EVERY_EVENT), 7),
    "all at once": [b"".join(EVERY_EVENT)],
}


@pytest.mark.parametrize("pieces", CUTS.values(), ids=CUTS.keys())
async def test_a_caller_who_leaves_at_every_byte(tokenizer: Tokenizer, pieces: list[bytes]) -> None:
    """Pays for what it has received, to the token; the backend is told each time, and nothing stays behind."""
    length = len(b"".join(pieces))
    made = Since(Call)
    gc.disable()
    try:
        left = await asyncio.gather(*[leave(tokenizer, pieces, room) for room in range(length)])
        for call, body, text in left:
            assert call.usage == Usage(PROMPT_TOKENS, counted(tokenizer, text))
            assert (call.usage_counted, call.outcome.code, body.closed) == (True, "CallerDisconnected", True)
        del left, call, body
        await asyncio.sleep(0.01)
        assert made.left == []
    finally:
        gc.enable()


async def test_a_caller_who_leaves_after_the_report_pays_what_was_reported(tokenizer: Tokenizer) -> None:
    """The usage event comes before the last, and is never seen by the caller."""
    pieces = [*map(chunk, WORDS), USAGE, DONE]
    before = len(b"".join(map(chunk, WORDS)))
    left = await asyncio.gather(*[leave(tokenizer, pieces, room) for room in range(before - 5, before + len(DONE))])
    for place, (call, body, text) in enumerate(left):
        assert body.closed
        expected = Usage(PROMPT_TOKENS, counted(tokenizer, text)) if place < 5 else Usage(11, 12)
        assert (call.usage, call.usage_counted) == (expected, place < 5)


@pytest.mark.parametrize("stream", [STREAM, STREAM.replace(USAGE, b"")], ids=["reported", "counted"])
async def test_every_split_gives_the_same(tokenizer: Tokenizer, stream: bytes) -> None:
    """The same usage, and the same bytes but for the hidden event."""
    text = "".join(WORDS)
    expected = Usage(11, 12) if USAGE in stream else Usage(PROMPT_TOKENS, counted(tokenizer, text))
    for point in range(len(stream)):
        call = make_call()
        caller = await run(call, tokenizer, Body(stream[:point], stream[point:]), EVENTS)
        assert (caller.body, call.usage) == (stream.replace(USAGE, b""), expected)
