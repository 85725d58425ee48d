"""Uploads that end early, for ours and httpx2's alike where httpx2 can."""

import asyncio

import httpx2
import pytest

from tests.backends.exchanges import OK, body, close, fetch, get, post
from tests.backends.raw_server import Peer
from tests.backends.test_upload import Endless

REFUSAL = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge"
PARTS = [b"one", b"two", b"three"]


async def hanging(first: bytes, closed: asyncio.Event):
    """A caller who sends one piece and then nothing, and who notices when nobody listens any more."""
    try:
        yield first
        await asyncio.Event().wait()
    finally:
        closed.set()


async def test_an_answer_during_the_upload_ends_it(ours, serve):
    """A refusal is delivered and the rest of the body neither taken nor sent; httpx2 waits for the source."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(REFUSAL)
        await peer.until_closed()

    server = serve(script)
    closed = asyncio.Event()
    response, received = await fetch(ours, post(server.url, hanging(b"one", closed)))
    assert (response.status_code, received) == (413, b"large")
    assert closed.is_set()
    await server.told("closed")


async def test_a_success_before_the_end_of_the_upload_closes_the_connection(ours, serve):
    """A whole answer to half a request is delivered; what is left of the request must not become the next one."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(OK)
        await peer.until_closed()

    server = serve(script)
    closed = asyncio.Event()
    response, received = await fetch(ours, post(server.url, hanging(b"one", closed)))
    assert (response.status_code, received) == (200, b"ok")
    assert closed.is_set()
    await server.told("closed")


async def test_an_answer_during_bytes(ours, serve):
    """The same when the body is bytes that have not all been sent."""

    async def script(peer: Peer) -> None:
        await peer.head()
        peer.writer.transport.pause_reading()
        await peer.send(REFUSAL)
        await peer.told("read")
        peer.writer.transport.resume_reading()
        await peer.until_closed()

    server = serve(script)
    response, received = await fetch(ours, post(server.url, bytes(20_000_000)))
    assert (response.status_code, received) == (413, b"large")
    server.tell("read")
    await server.told("closed")


async def test_an_endless_upload_is_refused(ours, serve):
    """A refusal is noticed while the source always has more."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(REFUSAL)
        await peer.until_closed()

    source = Endless()
    response, received = await fetch(ours, post(serve(script).url, source.pieces()))
    assert (response.status_code, received) == (413, b"large")
    assert source.closed


async def test_both_directions_at_once(ours, serve):
    """An answer may begin before the request's body is whole; httpx2 sends everything first."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while size := int(await peer.reader.readline(), 16):
            piece = await peer.reader.readexactly(size)
            await peer.reader.readline()
            await peer.send(b"%x\r\n%b\r\n" % (size, piece))
        await peer.reader.readline()
        await peer.send(b"0\r\n\r\n")
        await peer.answer(OK)

    turns: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def source():
        while (piece := await turns.get()) is not None:
            yield piece

    server = serve(script)
    response = await ours.handle_async_request(post(server.url, source()))
    echo = aiter(response.stream)
    for piece in PARTS:
        turns.put_nowait(piece)
        assert await anext(echo) == piece
    turns.put_nowait(None)
    assert await body(response) == b""
    assert (await fetch(ours, get(server.url)))[1] == b"ok"
    assert server.connections == 1


async def test_closing_the_answer_ends_the_upload(ours, serve):
    """Whoever gives up the answer does not have to feed the upload any more."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        await peer.until_closed()

    server = serve(script)
    closed = asyncio.Event()
    response = await ours.handle_async_request(post(server.url, hanging(b"one", closed)))
    await close(response)
    assert closed.is_set()
    await server.told("closed")


async def test_cancelling_ends_the_upload(transport, serve):
    """Whoever stops waiting in the middle of an upload gets the source back, closed."""

    async def script(peer: Peer) -> None:
        await peer.head()
        peer.server.tell("asked")
        await peer.until_closed()

    server = serve(script)
    closed = asyncio.Event()
    task = asyncio.create_task(fetch(transport, post(server.url, hanging(b"one", closed))))
    await server.told("asked")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed.is_set()
    await server.told("closed")


async def test_reset_during_the_upload(ours, serve):
    """A server that goes away ends the upload, even one that waits for its source."""

    async def script(peer: Peer) -> None:
        await peer.head()
        peer.reset()

    closed = asyncio.Event()
    with pytest.raises(httpx2.ReadError):
        await fetch(ours, post(serve(script).url, hanging(b"one", closed)))
    assert closed.is_set()
