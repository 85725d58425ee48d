"""How the body of an answer reaches its reader, for ours and httpx2's alike."""

import asyncio

import httpx2
import pytest

from gateway.backends.answer import Answer
from gateway.backends.connection import READ_AHEAD_BYTES
from tests.backends.exchanges import OK, always, body, close, fetch, get, once, until
from tests.backends.raw_server import Peer

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


async def test_an_answer_that_is_here_is_read_without_waiting(ours, serve):
    """A small body that came with the head needs no further turn of the event loop, nor does its end."""
    response = await ours.handle_async_request(get(serve(always(OK)).url))
    stream = aiter(response.stream)
    first = anext(stream)
    with pytest.raises(StopIteration) as got:
        first.send(None)
    assert got.value.value == b"ok"
    with pytest.raises(StopAsyncIteration):
        anext(stream).send(None)


async def test_pieces_are_delivered_as_they_arrive(transport, serve):
    """Nothing waits for the rest: each event is here before the server sends the next."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        for number in range(3):
            await peer.send(b"5\r\ndata%d\r\n" % number)
            await peer.told(f"seen {number}")
        await peer.send(b"0\r\n\r\n")

    server = serve(script)
    response = await transport.handle_async_request(get(server.url))
    seen = []
    async for piece in response.stream:
        server.tell(f"seen {len(seen)}")
        seen.append(piece)
    assert seen == [b"data0", b"data1", b"data2"]


async def test_what_came_before_a_failure_is_delivered(transport, serve):
    """A broken stream is read up to where it broke."""
    response = await transport.handle_async_request(get(serve(once(CHUNKED + b"5\r\nhello\r\n")).url))
    stream = aiter(response.stream)
    assert await anext(stream) == b"hello"
    with pytest.raises(httpx2.RemoteProtocolError):
        await anext(stream)


async def test_reset_in_the_middle_of_a_body(transport, serve):
    """A reset is a ReadError, not the end of a body that closing would end."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD + b"\r\nhello")
        await peer.told("read")
        peer.reset()

    server = serve(script)
    response = await transport.handle_async_request(get(server.url))
    stream = aiter(response.stream)
    assert await anext(stream) == b"hello"
    server.tell("read")
    with pytest.raises(httpx2.ReadError):
        await anext(stream)


async def test_reset_before_an_answer(transport, serve):
    """On a connection of its own a reset request is not sent again."""

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    server = serve(script)
    with pytest.raises(httpx2.ReadError):
        await fetch(transport, get(server.url))
    assert server.connections == 1


async def test_a_slow_reader_stops_the_server(ours, serve):
    """Of 50 MB that nobody reads little more than the limit is taken in; all of it arrives once it is read."""
    total = 50 * 1024 * 1024

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD + b"Content-Length: %d\r\n\r\n" % total)
        for _ in range(total // 65536):
            await peer.send(bytes(65536))

    response = await ours.handle_async_request(get(serve(script).url))
    answer = response.stream
    assert isinstance(answer, Answer)
    most = received = 0
    while received < total:
        await until(lambda: answer.complete or answer.buffered > READ_AHEAD_BYTES)
        for _ in range(20):
            await asyncio.sleep(0)
        most = max(most, answer.buffered)
        received += len(await anext(answer))
    assert received == total
    assert most <= READ_AHEAD_BYTES + 256 * 1024


async def test_an_unread_answer_blocks_the_server(transport, serve):
    """The server of either transport cannot get rid of 50 MB while only the first piece is read."""
    total = 50 * 1024 * 1024
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(HEAD + b"Content-Length: %d\r\n\r\n" % total)
        while sent < total:
            peer.writer.write(bytes(65536))
            sent += 65536
            try:
                async with asyncio.timeout(0.5):
                    await peer.writer.drain()
            except TimeoutError:
                peer.server.tell("blocked")
                await peer.writer.drain()

    server = serve(script)
    response = await transport.handle_async_request(get(server.url))
    stream = aiter(response.stream)
    assert await anext(stream)
    await server.told("blocked")
    assert sent < total / 2
    await close(response)


async def test_closing_an_answer_early_closes_the_connection(transport, serve):
    """A server whose answer is not wanted any more hears of it at once."""

    async def script(peer: Peer) -> None:
        await peer.answer(HEAD + b"Content-Length: 100\r\n\r\nhello")
        await peer.until_closed()

    server = serve(script)
    response = await transport.handle_async_request(get(server.url))
    await close(response)
    await server.told("closed")


async def test_a_closed_answer_says_so(ours, serve):
    """Reading on after closing is an error, not the end of the body."""

    async def script(peer: Peer) -> None:
        await peer.answer(HEAD + b"Content-Length: 100\r\n\r\n")
        await peer.until_closed()

    response = await ours.handle_async_request(get(serve(script).url))
    await close(response)
    with pytest.raises(httpx2.ReadError):
        await body(response)


@pytest.mark.parametrize("answer", [b"", HEAD + b"Content-Length: 100\r\n\r\n"], ids=["head", "body"])
async def test_cancelling_closes_the_connection(transport, serve, answer):
    """Whoever stops waiting, for the head or for the body, takes the connection along."""

    async def script(peer: Peer) -> None:
        await peer.answer(answer)
        peer.server.tell("answered")
        await peer.until_closed()

    server = serve(script)
    task = asyncio.create_task(fetch(transport, get(server.url)))
    await server.told("answered")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await server.told("closed")


@pytest.mark.parametrize("answer", [b"", HEAD + b"Content-Length: 100\r\n\r\nhello"], ids=["head", "body"])
async def test_a_silent_server_times_out(transport, serve, answer):
    """The read limit holds for the head and for every piece of the body; the connection is closed."""

    async def script(peer: Peer) -> None:
        await peer.answer(answer)
        await peer.until_closed()

    server = serve(script)
    with pytest.raises(httpx2.ReadTimeout):
        await fetch(transport, get(server.url, read=0.05))
    await server.told("closed")


async def test_the_read_limit_may_change_after_the_head(transport, serve):
    """A caller may give the first byte more time than what follows."""

    async def script(peer: Peer) -> None:
        await peer.answer(HEAD + b"Content-Length: 100\r\n\r\nhello")
        await peer.until_closed()

    server = serve(script)
    request = get(server.url, read=60.0)
    response = await transport.handle_async_request(request)
    request.extensions["timeout"]["read"] = 0.05
    with pytest.raises(httpx2.ReadTimeout):
        await body(response)


async def test_the_read_limit_may_change_between_pieces(ours, serve):
    """Ours reads the limit at every wait; httpx2 only when it begins to read the body."""

    async def script(peer: Peer) -> None:
        await peer.answer(HEAD + b"Content-Length: 100\r\n\r\nhello")
        await peer.until_closed()

    request = get(serve(script).url, read=60.0)
    response = await ours.handle_async_request(request)
    stream = aiter(response.stream)
    assert await anext(stream) == b"hello"
    request.extensions["timeout"] = {"read": 0.05}
    with pytest.raises(httpx2.ReadTimeout):
        await anext(stream)


async def test_without_limits_nothing_times_out(transport, serve):
    """A request without a `timeout` extension is served too."""
    request = httpx2.Request("GET", serve(once(OK)).url)
    assert (await fetch(transport, request))[1] == b"ok"
