"""What every transport must do with the bodies it sends, for ours and httpx2's alike."""

import asyncio

import httpx2
import pytest

from tests.backends.exchanges import OK, body, close, fetch, get, pieces, post
from tests.backends.raw_server import Peer

REFUSAL = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge"
PARTS = [b"one", b"two", b"three"]
WHOLE = b"onetwothree"


async def ok(peer: Peer) -> None:
    """Answers every request."""
    while True:
        await peer.answer(OK)


class Endless:
    """A body without an end that notes how much of it was taken and whether it was closed."""

    def __init__(self) -> None:
        self.taken = 0
        self.closed = False

    async def pieces(self, piece: bytes = bytes(65536)):
        try:
            while True:
                self.taken += len(piece)
                yield piece
        finally:
            self.closed = True


async def hanging(first: bytes, closed: asyncio.Event):
    """A caller who sends one piece and then nothing, and who notices when nobody listens any more."""
    try:
        yield first
        await asyncio.Event().wait()
    finally:
        closed.set()


async def test_bytes_go_out_with_the_head(ours, serve):
    """A small request is one packet; the server reads all of it at once."""

    async def script(peer: Peer) -> None:
        received = await peer.reader.read(65536)
        assert received.endswith(b"\r\n\r\nhello")
        await peer.send(OK)

    assert (await fetch(ours, post(serve(script).url, b"hello")))[1] == b"ok"


@pytest.mark.parametrize("size", [0, 1, 65536, 5_000_000])
async def test_bytes_of_any_size(transport, serve, size):
    """Bytes arrive whole, small or large."""
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    server = serve(ok)
    await fetch(transport, post(server.url, content))
    assert server.requests[0].body == content


async def test_pieces_with_a_length(transport, serve):
    """A body that comes in pieces and whose length is known goes out unchunked."""
    server = serve(ok)
    await fetch(transport, post(server.url, pieces(PARTS), {"Content-Length": "11"}))
    assert (server.requests[0].body, server.requests[0].header(b"transfer-encoding")) == (WHOLE, None)


async def test_pieces_in_chunks(transport, serve):
    """A body of unknown length goes out in chunks; an empty piece does not end it."""
    server = serve(ok)
    await fetch(transport, post(server.url, pieces([b"one", b"", b"two", b"three"])))
    assert (server.requests[0].body, server.requests[0].header(b"transfer-encoding")) == (WHOLE, b"chunked")


@pytest.mark.parametrize("content", [b"", WHOLE], ids=["empty", "bytes"])
async def test_bytes_in_chunks(ours, serve, content):
    """Bytes are chunked too if the headers say so."""
    server = serve(ok)
    await fetch(ours, post(server.url, content, {"Transfer-Encoding": "chunked"}))
    assert server.requests[0].body == content


async def test_no_pieces(transport, serve):
    """An empty body of unknown length is a body."""
    server = serve(ok)
    await fetch(transport, post(server.url, pieces([])))
    assert server.requests[0].body == b""


async def test_the_connection_is_used_again_after_an_upload(transport, serve):
    """An upload that was read whole leaves the connection usable."""
    server = serve(ok)
    for _ in range(3):
        await fetch(transport, post(server.url, pieces(PARTS)))
    assert server.connections == 1


@pytest.mark.parametrize("length", ["5", "50"], ids=["longer than announced", "shorter than announced"])
async def test_pieces_must_add_up(ours, serve, length):
    """A body that is not as long as announced is our fault; httpx2 raises an error of h11's, not its own."""

    async def script(peer: Peer) -> None:
        await peer.until_closed()

    server = serve(script)
    with pytest.raises(httpx2.LocalProtocolError):
        await fetch(ours, post(server.url, pieces(PARTS), {"Content-Length": length}))
    await server.told("closed")


async def test_the_source_may_fail(transport, serve):
    """An error in the body's source reaches the caller as it is, and the server sees no end of the body."""

    async def failing():
        yield b"one"
        raise ValueError("the caller left")

    async def script(peer: Peer) -> None:
        await peer.until_closed()

    server = serve(script)
    with pytest.raises(ValueError, match="the caller left"):
        await fetch(transport, post(server.url, failing()))
    await server.told("closed")


async def test_a_server_that_does_not_read_stops_the_source(transport, serve):
    """What the server does not take is not taken from the caller: write times out with little read."""

    async def script(peer: Peer) -> None:
        peer.writer.transport.pause_reading()
        await peer.told("never")

    source = Endless()
    with pytest.raises(httpx2.WriteTimeout):
        await fetch(transport, post(serve(script).url, source.pieces(), write=0.2))
    assert source.closed
    assert source.taken < 50 * 1024 * 1024


async def test_bytes_that_the_server_does_not_read(transport, serve):
    """The write limit holds for bytes as well."""

    async def script(peer: Peer) -> None:
        peer.writer.transport.pause_reading()
        await peer.told("never")

    with pytest.raises(httpx2.WriteTimeout):
        await fetch(transport, post(serve(script).url, bytes(50_000_000), write=0.2))


async def test_a_slow_server_gets_everything(transport, serve):
    """Pieces wait for a server that reads slowly, and none is lost."""

    async def script(peer: Peer) -> None:
        peer.writer.transport.pause_reading()
        await peer.told("source blocked")
        peer.writer.transport.resume_reading()
        await peer.answer(OK)

    server = serve(script)
    sent = 0

    async def source():
        nonlocal sent
        for _ in range(400):
            sent += 65536
            asyncio.get_running_loop().call_later(0.2, check, sent)
            yield bytes(65536)

    def check(then: int) -> None:
        if sent == then:
            server.tell("source blocked")

    await fetch(transport, post(server.url, source()))
    assert len(server.requests[0].body) == 400 * 65536


async def test_a_slow_source_is_not_a_slow_server(ours, serve):
    """The read limit starts when the body has been sent, however long the caller took."""

    async def slow():
        yield b"one"
        await asyncio.sleep(0.2)
        yield b"two"

    server = serve(ok)
    await fetch(ours, post(server.url, slow(), read=0.1))
    assert server.requests[0].body == b"onetwo"


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
