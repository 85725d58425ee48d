"""What every transport must do with the bodies it sends, for ours and httpx2's alike."""

import asyncio

import httpx2
import pytest

from tests.backends.exchanges import OK, always, fetch, pieces, post
from tests.backends.raw_server import Peer

PARTS = [b"one", b"two", b"three"]
WHOLE = b"onetwothree"


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
    server = serve(always(OK))
    await fetch(transport, post(server.url, content))
    assert server.requests[0].body == content


async def test_pieces_with_a_length(transport, serve):
    """A body that comes in pieces and whose length is known goes out unchunked."""
    server = serve(always(OK))
    await fetch(transport, post(server.url, pieces(PARTS), {"Content-Length": "11"}))
    assert (server.requests[0].body, server.requests[0].header(b"transfer-encoding")) == (WHOLE, None)


async def test_pieces_in_chunks(transport, serve):
    """A body of unknown length goes out in chunks; an empty piece does not end it."""
    server = serve(always(OK))
    await fetch(transport, post(server.url, pieces([b"one", b"", b"two", b"three"])))
    assert (server.requests[0].body, server.requests[0].header(b"transfer-encoding")) == (WHOLE, b"chunked")


@pytest.mark.parametrize("content", [b"", WHOLE], ids=["empty", "bytes"])
async def test_bytes_in_chunks(ours, serve, content):
    """Bytes are chunked too if the headers say so."""
    server = serve(always(OK))
    await fetch(ours, post(server.url, content, {"Transfer-Encoding": "chunked"}))
    assert server.requests[0].body == content


async def test_no_pieces(transport, serve):
    """An empty body of unknown length is a body."""
    server = serve(always(OK))
    await fetch(transport, post(server.url, pieces([])))
    assert server.requests[0].body == b""


async def test_the_connection_is_used_again_after_an_upload(transport, serve):
    """An upload that was read whole leaves the connection usable."""
    server = serve(always(OK))
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


async def test_a_slow_source_is_not_a_slow_server(transport, serve):
    """The read limit starts when the body has been sent, however long the caller took."""

    async def slow():
        yield b"one"
        await asyncio.sleep(0.1)
        request.extensions["timeout"]["read"] = 5.0
        yield b"two"

    server = serve(always(OK))
    request = post(server.url, slow(), read=0.01)
    await fetch(transport, request)
    assert server.requests[0].body == b"onetwo"
