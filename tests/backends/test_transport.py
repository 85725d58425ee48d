"""What every transport must do with the answers it gets, for ours and httpx2's alike."""

import ast
import asyncio
import gc
import gzip
import socket
import weakref
from pathlib import Path

import httpx2
import pytest

import gateway.backends.transport
from tests.backends.exchanges import OK, always, close, fetch, get, once, post
from tests.backends.raw_server import Peer

HEAD = b"HTTP/1.1 200 OK\r\n"
ZIPPED = gzip.compress(b"hello")
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


async def test_under_a_client(ours, serve):
    """httpx2's own client works on top, decoding included."""
    server = serve(always(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(ZIPPED), ZIPPED)))
    async with httpx2.AsyncClient(transport=ours) as client:
        response = await client.post(server.url, json={"a": 1})
        assert response.text == "hello"
        async with client.stream("GET", server.url) as streamed:
            assert [text async for text in streamed.aiter_text()] == ["hello"]
    assert server.requests[0].body == b'{"a":1}'


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
