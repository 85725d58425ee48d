"""Answers that are read before their head goes out."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gateway.call import Header
from gateway.errors import ProviderError
from gateway.llm.tokenizer import Tokenizer
from gateway.llm.usage import Usage
from gateway.llm.whole_reader import LONGEST_READ_BYTES
from gateway.policies.measure import Measure, read_whole
from gateway.response import GatewayResponse
from tests.policies.measured import (
    STREAM,
    USAGE,
    Backend,
    in_pieces,
    make_call,
    whole,
)
from tests.policies.test_admit import entry
from tests.test_response import EVENTS, JSON_TYPE, Body, Caller, begin, send

READ: dict[str, tuple[Any, list[Header], bool, Usage | None]] = {
    "pieces": (lambda: Body(*in_pieces(whole({"prompt_tokens": 5}), 9)), JSON_TYPE, True, Usage(5, 0)),
    "bytes": (lambda: whole({"prompt_tokens": 5}), JSON_TYPE, True, Usage(5, 0)),
    "empty": (lambda: Body(), JSON_TYPE, True, None),
    "too long": (
        lambda: Body(b" " * LONGEST_READ_BYTES, b" ", whole({"prompt_tokens": 5})),
        JSON_TYPE,
        False,
        None,
    ),
    "events": (lambda: Body(STREAM), EVENTS, False, None),
    "no JSON": (lambda: Body(b"x"), [], False, None),
}


@pytest.mark.parametrize(("body", "headers", "is_whole", "usage"), READ.values(), ids=READ.keys())
async def test_an_answer_is_read_before_its_head_goes_out(
    tokenizer: Tokenizer, body: Callable[[], Any], headers: list[Header], is_whole: bool, usage: Usage | None
) -> None:
    """A whole JSON answer of some length; the caller gets the same bytes, and every body is closed once it is read."""
    call, given, same = make_call(), body(), body()
    reply = await Measure(entry(), tokenizer)(call, Backend(given, headers))
    reply = await read_whole(call, reply)
    assert (isinstance(reply.body, bytes), call.usage) == (is_whole, usage)
    assert isinstance(given, bytes) or given.closed == is_whole
    caller = Caller()
    await send(GatewayResponse(call, reply), caller)
    expected = same if isinstance(same, bytes) else b"".join([piece async for piece in same])
    assert caller.body == expected.replace(USAGE, b"")
    assert isinstance(given, bytes) or given.closed
    assert call.usage is not None


async def test_a_failure_while_it_is_read_closes_it(tokenizer: Tokenizer) -> None:
    """It is raised, so that the caller hears of it with a status of its own."""
    call, body = make_call(), Body(b"{", ProviderError("BackendStreamInterrupted"))
    reply = await Measure(entry(), tokenizer)(call, Backend(body, JSON_TYPE))
    with pytest.raises(ProviderError):
        await read_whole(call, reply)
    assert body.closed


async def test_a_long_answer_that_is_given_up_is_closed(tokenizer: Tokenizer) -> None:
    """Its beginning was read before; the rest is not wanted."""
    call, body = make_call(), Body(b" " * LONGEST_READ_BYTES, b" ", 60.0)
    reply = await read_whole(call, await Measure(entry(), tokenizer)(call, Backend(body, JSON_TYPE)))
    caller, sending = begin(GatewayResponse(call, reply))
    await asyncio.sleep(0.01)
    caller.leaves.set()
    await asyncio.wait_for(sending, 5)
    assert body.closed
