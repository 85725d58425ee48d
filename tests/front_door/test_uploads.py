"""Uploads that do not end as they began, and event streams that are not what they seem."""

import gzip
import json
import socket
import time
from collections.abc import Iterator

import httpx2
import pytest

from tests.backends.raw_server import Peer, RawServer
from tests.front_door.system import System, wait_until
from tests.front_door.test_bad_input import head

EVENTS = b"data: 1\n\ndata: 2\n\n"


@pytest.fixture(scope="module")
def backend(system: System) -> Iterator[RawServer]:
    """Below /peculiar: a backend that refuses uploads before it has read them, or compresses event streams."""

    async def script(peer: Peer) -> None:
        if b" /gzip " in (await peer.head()).split(b"\r\n")[0]:
            fields = b"Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n"
            await peer.send(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n" + gzip.compress(EVENTS))
            return
        await peer.send(b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nno, n\r\n")
        await peer.until_closed()

    with RawServer(script) as server:
        system.apply(
            "{kind: Api, name: peculiar, path: peculiar, type: passthrough, products: [starter], "
            f"backend: {{url: {json.dumps(server.url)}}}}}"
        )
        key = {"api-key": system.keys["team"]}
        wait_until(lambda: httpx2.get(f"{system.url}/peculiar/gzip", headers=key).status_code == 200)
        yield server


async def test_a_caller_who_leaves_a_refused_upload_is_noticed(system: System, backend: RawServer) -> None:
    """The backend refuses before the upload ends and goes on talking; the caller leaves; the backend hears of it."""
    fields = ("Transfer-Encoding: chunked", "x-request-id: refused-upload")
    with socket.create_connection(("127.0.0.1", system.port), timeout=10) as connection:
        connection.sendall(head("POST", "/peculiar/upload", system.keys["team"], *fields) + b"5\r\nhello\r\n")
        received = b""
        while b"no, n" not in received:
            received += connection.recv(65_536)
        assert received.startswith(b"HTTP/1.1 403 ")
    left = time.monotonic()
    await backend.told("closed")
    assert time.monotonic() - left < 1.5
    line = system.log_of("refused-upload")
    assert (line["status"], line["code"], line["aborted"]) == (403, "CallerDisconnected", True)


def test_a_compressed_event_stream_passes_as_it_is(system: System, backend: RawServer) -> None:
    """Nothing can be put between events that cannot be seen: the bytes are the backend's."""
    answer = httpx2.get(f"{system.url}/peculiar/gzip", headers={"api-key": system.keys["team"]})
    assert (answer.headers["content-encoding"], answer.content) == ("gzip", EVENTS)
