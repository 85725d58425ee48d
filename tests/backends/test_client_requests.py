"""Requests that cannot be sent as they are: whose fault each is, and what the log says of it."""

import pytest

from gateway.backends.client import BackendClient
from gateway.call import Header
from gateway.errors import CallerError
from tests.backends.exchanges import pieces
from tests.backends.raw_server import Peer, RawServer
from tests.backends.test_client import NoTokens, target

PROXIED = pytest.mark.parametrize("proxied", [False, True], ids=["own transport", "transport for proxies"])


async def waiting(peer: Peer) -> None:
    """A server that reads until the client goes away."""
    await peer.until_closed()


UNFIT: dict[str, tuple[str, bytes, list[Header]]] = {
    "a line break in a header": ("GET", b"/v1", [(b"x-a", b"sk-1\r\nx-b: 2")]),
    "a space in a header's name": ("GET", b"/v1", [(b"x a", b"sk-1")]),
    "a method that is no word": ("GET /", b"/v1", [(b"x-a", b"sk-1")]),
    "a space in the target": ("GET", b"/v1 HTTP/1.1", [(b"x-a", b"sk-1")]),
}


@pytest.mark.parametrize("name", UNFIT)
@PROXIED
async def test_a_head_that_cannot_be_sent(name: str, proxied: bool, caplog: pytest.LogCaptureFixture) -> None:
    """400 InvalidHeader; the log has a reason where it is safe to, and never the header's value."""
    method, path, headers = UNFIT[name]
    client = BackendClient(NoTokens(), 10)
    with RawServer(waiting) as server:
        backend = target(url="http://127.0.0.1:1/v1", proxy=server.url) if proxied else target(url=server.url)
        with pytest.raises(CallerError) as raised:
            await client.send(backend, method, path, headers, None, None)
        await client.aclose()
        if proxied:
            # Unlike ours, it connects before it looks.
            await server.told("closed")
    assert raised.value.code == "InvalidHeader"
    assert "LocalProtocolError" in caplog.text
    assert ("The request" in caplog.text or "A request header" in caplog.text) is not proxied
    assert "sk-1" not in caplog.text


@pytest.mark.parametrize("length", [5, 50], ids=["longer", "shorter"])
@PROXIED
async def test_a_body_of_another_length_than_announced(length: int, proxied: bool) -> None:
    """400 IncompleteBody, and a closed connection: what was sent must not be taken for a whole request."""
    client = BackendClient(NoTokens(), 10)
    with RawServer(waiting) as server:
        backend = target(url="http://127.0.0.1:1/v1", proxy=server.url) if proxied else target(url=server.url)
        with pytest.raises(CallerError) as raised:
            await client.send(backend, "POST", b"/v1", [], pieces([b"one", b"two", b"three"]), length)
        await server.told("closed")
        await client.aclose()
    assert (raised.value.code, raised.value.status) == ("IncompleteBody", 400)
