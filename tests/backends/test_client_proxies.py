"""Calls through the environment's proxy: tunnels to https backends, and none to those that NO_PROXY names."""

import asyncio
import ssl
from collections.abc import Iterator

import pytest
import trustme

from gateway.backends.client import BackendClient
from tests.backends.exchanges import OK, always
from tests.backends.raw_server import Peer, RawServer
from tests.backends.test_client import NoTokens, target


async def tunnel(peer: Peer) -> None:
    """A proxy that knows CONNECT alone; tells the test that it was asked."""
    address = (await peer.head()).split(b" ")[1].decode()
    peer.server.tell(address)
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    await peer.send(b"HTTP/1.1 200 Connected\r\n\r\n")
    try:
        await asyncio.gather(copy(peer.reader, writer), copy(reader, peer.writer), return_exceptions=True)
    finally:
        writer.transport.abort()


async def copy(source: asyncio.StreamReader, destination: asyncio.StreamWriter) -> None:
    """One direction of the tunnel, until its source ends."""
    try:
        while data := await source.read(65536):
            destination.write(data)
            await destination.drain()
    finally:
        destination.close()


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[RawServer]:
    """An https backend whose certificate the environment says to trust."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with authority.cert_pem.tempfile() as path, RawServer(always(OK), context) as server:
        monkeypatch.setenv("SSL_CERT_FILE", path)
        yield server


@pytest.mark.parametrize(
    ("excepted", "tunnelled"),
    [("other.example", True), ("127.0.0.1", False), ("*", False)],
    ids=lambda value: str(value),
)
async def test_https_goes_through_a_tunnel(
    backend: RawServer, excepted: str, tunnelled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy hears the backend's address and nothing else; NO_PROXY keeps it out of the way."""
    with RawServer(tunnel) as proxy:
        for name, value in {"HTTPS_PROXY": proxy.url, "NO_PROXY": excepted}.items():
            monkeypatch.delenv(name.lower(), raising=False)
            monkeypatch.setenv(name, value)
        client = BackendClient(NoTokens(), 10)
        made = target(url=f"{backend.url}/v1", trustEnvironment=True)
        response = await client.send(made, "GET", b"/v1/models", [], None, None)
        assert b"".join([piece async for piece in response]) == b"ok"
        if tunnelled:
            await proxy.told(f"127.0.0.1:{backend.port}")
        await client.aclose()
        assert proxy.connections == int(tunnelled)
    assert [request.target for request in backend.requests] == [b"/v1/models"]
