"""An answer that comes by way of a DrainingBody from a server that waits for a word to a caller who may leave."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from gateway.call import Call, Reply
from gateway.llm.operations import openai_operation
from gateway.llm.tokenizer import Tokenizer
from gateway.llm.usage import Usage
from gateway.policies.drain import DrainingBody, Drains
from gateway.policies.measure import Measure
from gateway.response import GatewayResponse
from tests.backends.raw_server import Peer, RawServer, Script
from tests.policies.measured import (
    DONE,
    PROMPT_TOKENS,
    USAGE,
    chunk,
    make_call,
)
from tests.policies.test_forward import entry, forwarding
from tests.test_response import Caller, send

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT_HEAD, JSON = HEAD % b"text/event-stream", HEAD % b"application/json"
BEGINNING = chunk("Hello there")
REST = chunk(", world") + USAGE + DONE
DELIVERED = Usage(PROMPT_TOKENS, 2)


def framed(data: bytes) -> bytes:
    """One chunk of a body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def telling(
    beginning: bytes = BEGINNING, rest: bytes = REST, head: bytes = EVENT_HEAD, end: bytes = b"0\r\n\r\n"
) -> Script:
    """Sends the beginning, and the rest when the test says so; without an end it breaks off."""

    async def script(peer: Peer) -> None:
        await peer.answer(head + framed(beginning))
        watching = asyncio.create_task(peer.until_closed())
        await peer.told("go on")
        await peer.send(framed(rest) + end)
        peer.server.tell("sent")
        if not end:
            peer.reset()
        await watching

    return script


class Served:
    """A call whose answer is being sent to a caller."""

    def __init__(self, call: Call, pieces: AsyncIterator[bytes], drains: Drains, server: RawServer) -> None:
        assert call.reader is not None
        self.call = call
        self.server = server
        self.caller = Caller()
        self.body = DrainingBody(pieces, call.reader, drains, self.on_done)
        self.done: list[Usage | None] = []
        self._told = asyncio.Event()

    def on_done(self, usage: Usage | None) -> None:
        """For DrainingBody."""
        self.done.append(usage)
        self._told.set()

    async def told(self) -> list[Usage | None]:
        """What it was told, when it was; and once more when there was time for a second time."""
        await asyncio.wait_for(self._told.wait(), 5)
        await asyncio.sleep(0.01)
        return self.done


async def until(condition: Any) -> None:
    """Look again at each turn of the loop until it is so."""
    for _ in range(5_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("waited in vain")


@asynccontextmanager
async def answering(
    tokenizer: Tokenizer, drains: Drains, script: Script, more: str = ""
) -> AsyncIterator[tuple[Served, Reply]]:
    """A call whose answer has begun."""
    async with forwarding(script, more, "openai") as (forward, server):
        call = make_call()
        call.operation = openai_operation("POST", "chat/completions")
        reply = await Measure(entry('url: "http://127.0.0.1:1"', "openai"), tokenizer)(call, forward)
        assert not isinstance(reply.body, bytes)
        served = Served(call, reply.body, drains, server)
        reply.body = served.body
        try:
            yield served, reply
        finally:
            await drains.aclose()


@asynccontextmanager
async def serving(
    tokenizer: Tokenizer, drains: Drains, script: Script
) -> AsyncIterator[tuple[Served, asyncio.Task[None]]]:
    """A call whose caller has the beginning of the answer."""
    async with answering(tokenizer, drains, script) as (served, reply):
        sending = asyncio.create_task(send(GatewayResponse(served.call, reply), served.caller))
        await until(lambda: served.caller.body)
        try:
            yield served, sending
        finally:
            sending.cancel()


async def leave(served: Served, sending: asyncio.Task[None]) -> None:
    """The caller goes; its call is over."""
    served.caller.leaves.set()
    await asyncio.wait_for(asyncio.shield(sending), 5)
