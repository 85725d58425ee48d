"""What every transport must do with the answers it gets, for ours and httpx2's alike."""

import ast
import asyncio
import gc
import socket
import weakref
from pathlib import Path

import httpx2
import pytest

import gateway.backends.transport
from gateway.backends.answer import Answer
from gateway.backends.connection import READ_AHEAD_BYTES
from tests.backends.exchanges import OK, body, close, fetch, get, post, until
from tests.backends.raw_server import Peer

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

# name: (what the server sends before it closes, status, body)
ANSWERS = {
    "sized": (HEAD + b"Content-Length: 5\r\n\r\nhello", 200, b"hello"),
    "empty": (HEAD + b"Content-Length: 0\r\n\r\n", 200, b""),
    "chunked": (CHUNKED + b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", 200, b"hello"),
    "chunked, capital": (HEAD + b"Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200, b"hello"),
    "chunk extension": (CHUNKED + b'5;name="value"\r\nhello\r\n0\r\n\r\n', 200, b"hello"),
    "trailers": (CHUNKED + b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n", 200, b"hello"),
    "ended by closing": (HEAD + b"Content-Type: text/plain\r\n\r\nhello", 200, b"hello"),
    "ended by closing, empty": (HEAD + b"\r\n", 200, b""),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello"),
    "HTTP/1.0 ended by closing": (b"HTTP/1.0 200 OK\r\n\r\nhello", 200, b"hello"),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello"),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    "304 with a length": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, b""),
    "100 first": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"ok"),
    "103 first, twice": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 2 + OK, 200, b"ok"),
    "error": (b"HTTP/1.1 500 Oh\r\nContent-Length: 3\r\n\r\nbad", 500, b"bad"),
}

# What is not HTTP, or not whole.
BROKEN = {
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "status is no number": b"HTTP/1.1 abc OK\r\n\r\n",
    "status too short": b"HTTP/1.1 20 OK\r\n\r\n",
    "header without a colon": HEAD + b"Content-Length\r\n\r\n",
    "header with NUL": HEAD + b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
    "length is no number": HEAD + b"Content-Length: five\r\n\r\nhello",
    "length is negative": HEAD + b"Content-Length: -5\r\n\r\nhello",
    "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "body too short": HEAD + b"Content-Length: 50\r\n\r\nhello",
    "chunks cut off": CHUNKED + b"5\r\nhello\r\n",
    "chunk cut off": CHUNKED + b"50\r\nhello",
    "chunk size is no number": CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n",
    "header too large": HEAD + b"X: " + b"x" * 200_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "header without an end": HEAD + b"X: " + b"x" * 200_000,
    "too many headers": HEAD + b"X: xxxxxxxxxxxx\r\n" * 20_000 + b"\r\n",
}

# httpx2's transport lets these through; a proxy had better not, or the two sides disagree about what was said.
REFUSED_BY_OURS = {
    "length and chunks": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "the same length twice": HEAD + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "folded header": HEAD + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "unknown version": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "unknown coding": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "protocol switch": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "endless 1xx": b"HTTP/1.1 100 Continue\r\n\r\n" * 50_000 + OK,
    "endless trailers": CHUNKED + b"5\r\nhello\r\n0\r\n" + b"X-T: xxxxxxxx\r\n" * 50_000,
}


def once(answer: bytes):
    """Answer one request with these bytes, then close."""

    async def script(peer: Peer) -> None:
        await peer.answer(answer)

    return script


def always(answer: bytes):
    """Answer every request with these bytes."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.answer(answer)

    return script


@pytest.mark.parametrize("name", ANSWERS)
async def test_reads_every_kind_of_answer(transport, serve, name):
    """Status and body are right however the answer is framed."""
    answer, status, content = ANSWERS[name]
    response, received = await fetch(transport, get(serve(once(answer)).url))
    assert (response.status_code, received) == (status, content)


@pytest.mark.parametrize("name", ["sized", "chunked", "trailers", "ended by closing", "103 first, twice"])
async def test_reads_answers_that_come_byte_by_byte(transport, serve, name):
    """Where the network cuts an answer makes no difference."""
    answer, status, content = ANSWERS[name]

    async def script(peer: Peer) -> None:
        await peer.request()
        for byte in answer:
            await peer.send(bytes([byte]))
            await asyncio.sleep(0)

    response, received = await fetch(transport, get(serve(script).url))
    assert (response.status_code, received) == (status, content)


@pytest.mark.parametrize("name", BROKEN)
async def test_refuses_what_is_not_http(transport, serve, name):
    """A broken or incomplete answer is an error of the server's, never an answer."""
    server = serve(once(BROKEN[name]))
    with pytest.raises(httpx2.RemoteProtocolError):
        await fetch(transport, get(server.url))


@pytest.mark.parametrize("name", REFUSED_BY_OURS)
async def test_refuses_what_could_be_understood_differently(ours, serve, name):
    """Answers that llhttp or our own rules find ambiguous are refused."""
    server = serve(once(REFUSED_BY_OURS[name]))
    with pytest.raises(httpx2.RemoteProtocolError):
        await fetch(ours, get(server.url))


async def test_header_limit_is_exact(make_ours, serve):
    """The limit is on the headers, not on what happens to arrive together with them."""
    small = serve(once(HEAD + b"X: " + b"x" * 900 + b"\r\nContent-Length: 100000\r\n\r\n" + b"y" * 100_000))
    large = serve(once(HEAD + b"X: " + b"x" * 1100 + b"\r\nContent-Length: 0\r\n\r\n"))
    ours = make_ours(max_header_bytes=1024)
    _, received = await fetch(ours, get(small.url))
    assert len(received) == 100_000
    with pytest.raises(httpx2.RemoteProtocolError, match="too large"):
        await fetch(ours, get(large.url))


async def test_headers_come_as_they_were_sent(transport, serve):
    """Order, repetition and spelling of headers are kept, and so are version and reason."""
    lines = [(b"X-B", b"1"), (b"Set-Cookie", b"a=1"), (b"x-b", b""), (b"Set-Cookie", b"b=2"), (b"Content-Length", b"0")]
    raw = b"".join(b"%b: %b\r\n" % line for line in lines)
    response, _ = await fetch(transport, get(serve(once(b"HTTP/1.1 299 Very Well\r\n" + raw + b"\r\n")).url))
    assert response.headers.raw == lines
    assert response.extensions["http_version"] == b"HTTP/1.1"
    assert response.extensions["reason_phrase"] == b"Very Well"


async def test_head_has_no_body(transport, serve):
    """The answer to HEAD announces a length and has no body; the connection goes on."""

    async def script(peer: Peer) -> None:
        await peer.answer(HEAD + b"Content-Length: 5\r\n\r\n")
        await peer.answer(OK)

    server = serve(script)
    response, received = await fetch(transport, get(server.url, "HEAD"))
    assert (response.headers["content-length"], received) == ("5", b"")
    assert (await fetch(transport, get(server.url)))[1] == b"ok"
    assert server.connections == 1


async def test_body_sent_after_head_is_not_taken_for_the_next_answer(ours, serve):
    """A server that answers HEAD with a body loses its connection; httpx2 trips over it in the next request."""
    server = serve(always(HEAD + b"Content-Length: 5\r\n\r\nhello"))
    for _ in range(2):
        response, received = await fetch(ours, get(server.url, "HEAD"))
        assert (response.status_code, received) == (200, b"")
    assert server.connections == 2


async def test_target_is_sent_untouched(transport, serve):
    """The path reaches the server as written, from the URL or from the `target` extension."""
    server = serve(always(OK))
    await fetch(transport, get(f"{server.url}/a%2Fb%3Ac/%7e?q=%20+&x"))
    request = get(server.url)
    request.extensions["target"] = b"/m%2Fn/./o?p"
    await fetch(transport, request)
    assert [request.target for request in server.requests] == [b"/a%2Fb%3Ac/%7e?q=%20+&x", b"/m%2Fn/./o?p"]


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


async def test_connection_refused(transport):
    """A port where nobody listens is a ConnectError."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(httpx2.ConnectError):
            await fetch(transport, get(f"http://127.0.0.1:{unused.getsockname()[1]}"))


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 64 + ".invalid"], ids=["unknown", "label too long"])
async def test_unknown_host(ours, host):
    """A name that does not resolve is a ConnectError; httpx2 lets the UnicodeError of a bad one through."""
    with pytest.raises(httpx2.ConnectError):
        await fetch(ours, get(f"http://{host}:1/"))


async def test_unsupported_scheme(transport):
    """Only http and https are spoken."""
    with pytest.raises(httpx2.UnsupportedProtocol):
        await fetch(transport, get("ftp://127.0.0.1/"))


async def test_a_thousand_at_once(transport, serve):
    """A thousand requests under way at the same time all get their own answer."""

    async def script(peer: Peer) -> None:
        while True:
            request = await peer.request()
            await peer.send(HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(request.body), request.body))

    server = serve(script)
    contents = [b"request %d" % number for number in range(1000)]
    answers = await asyncio.gather(*[fetch(transport, post(server.url, content, pool=60)) for content in contents])
    assert [received for _, received in answers] == contents


async def test_small_packets_are_not_held_back(ours, serve):
    """TCP_NODELAY is set, as asyncio promises for its sockets."""
    response = await ours.handle_async_request(get(serve(once(HEAD + b"Content-Length: 9\r\n\r\n")).url))
    transport = response.stream._connection._transport
    assert transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    await close(response)


@pytest.mark.parametrize("name", ["sized", "ended by closing", "error"])
async def test_nothing_is_left_for_the_garbage_collector(ours, serve, name):
    """An answer is freed as soon as its reader lets go of it."""
    server = serve(once(ANSWERS[name][0]))
    gc.collect()
    gc.disable()
    try:
        response, _ = await fetch(ours, get(server.url))
        answer = weakref.ref(response.stream)
        del response
        assert answer() is None
    finally:
        gc.enable()


async def test_closing_the_transport_fails_what_is_under_way(ours, serve):
    """Requests under way end with an error when the transport closes, and all its sockets close."""

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.server.tell("asked")
        await peer.until_closed()

    server = serve(script)
    task = asyncio.create_task(fetch(ours, get(server.url)))
    await server.told("asked")
    await ours.aclose()
    with pytest.raises(httpx2.ReadError):
        await task
    await server.told("closed")


def test_every_error_is_a_transport_error():
    """Whatever our modules take from httpx2 to raise, one `except httpx2.TransportError` catches it."""
    folder = Path(gateway.backends.transport.__file__).parent
    names = ["answer", "answer_reader", "connection", "connection_pool", "request_head", "transport", "upload"]
    trees = [ast.parse((folder / f"{name}.py").read_text()) for name in names]
    found = {
        getattr(httpx2, node.attr)
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "httpx2"
    }
    errors = {thing for thing in found if isinstance(thing, type) and issubclass(thing, Exception)}
    assert {error.__name__ for error in errors} == {
        "ConnectError",
        "ConnectTimeout",
        "LocalProtocolError",
        "PoolTimeout",
        "ReadError",
        "ReadTimeout",
        "RemoteProtocolError",
        "TimeoutException",
        "UnsupportedProtocol",
        "WriteTimeout",
    }
    assert all(issubclass(error, httpx2.TransportError) for error in errors)
