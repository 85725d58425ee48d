"""TLS: the right server is recognised, the wrong ones are not, for ours and httpx2's alike."""

import asyncio
import ssl

import httpx2
import pytest
import trustme

from gateway.backends.transport import HTTP11Transport
from tests.backends.exchanges import OK, always, body, fetch, get, post, until
from tests.backends.raw_server import Peer

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture(scope="module")
def authority():
    """Signs certificates."""
    return trustme.CA()


@pytest.fixture
def trusting(authority):
    """What a client uses that trusts the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


def server_context(authority, name):
    """What a server of this name uses."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


async def test_a_trusted_server(make_transport, serve, authority, trusting):
    """A server with a valid certificate is talked to, over connections that are used again."""
    server = serve(always(OK), server_context(authority, "127.0.0.1"))
    transport = make_transport(verify=trusting)
    for _ in range(3):
        assert (await fetch(transport, get(server.url)))[1] == b"ok"
    assert server.connections == 1


async def test_http_1_1_is_negotiated(make_transport, serve, authority, trusting):
    """The server learns by ALPN that it is to speak HTTP/1.1, and by SNI whom it is to be."""
    context = server_context(authority, "localhost")
    names = []
    context.set_servername_callback(lambda connection, name, context: names.append(name))

    async def script(peer: Peer) -> None:
        protocol = peer.writer.get_extra_info("ssl_object").selected_alpn_protocol()
        await peer.answer(HEAD + b"Content-Length: 8\r\n\r\n" + protocol.encode())

    server = serve(script, context)
    url = f"https://localhost:{server.port}/"
    assert (await fetch(make_transport(verify=trusting), get(url)))[1] == b"http/1.1"
    assert names == ["localhost"]


async def test_a_server_of_another_name(make_transport, serve, authority, trusting):
    """A valid certificate for somebody else is not accepted."""
    server = serve(always(OK), server_context(authority, "another.example"))
    with pytest.raises(httpx2.ConnectError):
        await fetch(make_transport(verify=trusting), get(server.url))
    assert server.requests == []


async def test_an_untrusted_server(make_transport, serve, authority):
    """With the default settings a certificate of an unknown authority is not accepted."""
    server = serve(always(OK), server_context(authority, "127.0.0.1"))
    with pytest.raises(httpx2.ConnectError):
        await fetch(make_transport(verify=True), get(server.url))
    assert server.requests == []


async def test_verification_can_be_turned_off(make_transport, serve, authority):
    """Where it is asked for, any certificate will do."""
    server = serve(always(OK), server_context(authority, "another.example"))
    assert (await fetch(make_transport(verify=False), get(server.url)))[1] == b"ok"


async def test_a_server_that_does_not_speak_tls(make_transport, serve, trusting):
    """A plain server behind https is a ConnectError."""

    async def script(peer: Peer) -> None:
        await peer.reader.read(100)
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server = serve(script)
    with pytest.raises(httpx2.ConnectError):
        await fetch(make_transport(verify=trusting), get(server.url.replace("http:", "https:")))


async def test_a_handshake_that_never_ends(make_transport, serve, trusting):
    """The connect limit includes the handshake."""

    async def script(peer: Peer) -> None:
        await peer.until_closed()

    server = serve(script)
    with pytest.raises(httpx2.ConnectTimeout):
        await fetch(make_transport(verify=trusting), get(server.url.replace("http:", "https:"), connect=0.1))
    await server.told("closed")


async def test_cancelled_in_the_handshake(make_ours, serve, trusting):
    """A request cancelled while it connects leaves no place taken and no socket; httpx2 leaves the socket open."""

    async def script(peer: Peer) -> None:
        peer.server.tell("connected")
        await peer.until_closed()

    server = serve(script)
    transport = make_ours(max_connections=1, verify=trusting)
    url = server.url.replace("http:", "https:")
    task = asyncio.create_task(fetch(transport, get(url)))
    await server.told("connected")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await server.told("closed")
    with pytest.raises(httpx2.ConnectTimeout):
        await fetch(transport, get(url, connect=0.05, pool=0.5))


@pytest.mark.parametrize("size", [0, 100, 3_000_000])
async def test_bodies_both_ways(make_transport, serve, authority, trusting, size):
    """Bodies of any size go up and come down."""

    async def script(peer: Peer) -> None:
        request = await peer.request()
        await peer.send(HEAD + b"Content-Length: %d\r\n\r\n" % len(request.body) + request.body)

    server = serve(script, server_context(authority, "127.0.0.1"))
    content = b"x" * size
    assert (await fetch(make_transport(verify=trusting), post(server.url, content)))[1] == content


async def test_a_connection_that_breaks_off(make_transport, serve, authority, trusting):
    """A sized body that ends early is an error, over TLS too."""

    async def script(peer: Peer) -> None:
        await peer.answer(HEAD + b"Content-Length: 50\r\n\r\nhello")

    server = serve(script, server_context(authority, "127.0.0.1"))
    with pytest.raises(httpx2.TransportError):
        await fetch(make_transport(verify=trusting), get(server.url))


async def test_a_body_that_closing_ends(make_transport, serve, authority, trusting):
    """A body of unknown length is whole when the server says goodbye."""

    async def script(peer: Peer) -> None:
        await peer.answer(HEAD + b"\r\nhello")

    server = serve(script, server_context(authority, "127.0.0.1"))
    assert (await fetch(make_transport(verify=trusting), get(server.url)))[1] == b"hello"


async def test_a_slow_reader_stops_a_tls_server(make_ours, serve, authority, trusting):
    """Back-pressure works through TLS: little more than the limit is held here."""
    total = 20 * 1024 * 1024

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD + b"Content-Length: %d\r\n\r\n" % total)
        for _ in range(total // 65536):
            await peer.send(bytes(65536))

    server = serve(script, server_context(authority, "127.0.0.1"))
    response = await make_ours(verify=trusting).handle_async_request(get(server.url))
    answer = response.stream
    await until(lambda: answer.buffered > 0)
    for _ in range(500):
        await asyncio.sleep(0)
    assert answer.buffered < 2 * 1024 * 1024
    assert len(await body(response)) == total


async def test_certificates_are_only_loaded_for_https(make_ours, serve):
    """Loading the authorities' certificates takes tens of milliseconds: plain http never does it, https once."""
    server = serve(always(OK))
    ours: HTTP11Transport = make_ours()
    await fetch(ours, get(server.url))
    assert ours._context is None
    first, second = await asyncio.gather(ours._ssl_context(), ours._ssl_context())
    assert first is second
