"""The counters: callers who leave are told from those who are served."""

from __future__ import annotations

import socket

import httpx2

from local.model import ModelServer
from tests.local.model.conversation import CHAT, STREAM, connect, converse, post


def test_caller_who_leaves_is_counted(fresh: ModelServer) -> None:
    """A stream is cancelled as soon as its caller has gone; a finished one is not."""
    with connect(fresh, STREAM, words=1000, chunk_delay=0.01) as connection:
        connection.recv(1)
    stats = fresh.wait_for(lambda stats: stats["cancelled"] == 1, seconds=1.0)
    post(fresh, STREAM)
    stats = fresh.wait_for(lambda stats: stats["inFlight"] == 0)
    assert stats == {"requests": 2, "inFlight": 0, "cancelled": 1, "byPath": {"/v1/chat/completions": 2}}


def test_caller_who_leaves_while_sending_is_counted(fresh: ModelServer) -> None:
    """A body that never ends counts as cancelled too."""
    with socket.create_connection(("127.0.0.1", fresh.port)) as connection:
        connection.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\npart")
        fresh.wait_for(lambda stats: stats["inFlight"] == 1)
    assert fresh.wait_for(lambda stats: stats["inFlight"] == 0)["cancelled"] == 1


def test_own_faults_are_not_cancellations(fresh: ModelServer) -> None:
    """A reset on request is not the caller's doing."""
    converse(fresh, STREAM, reset_after_bytes=10)
    assert fresh.wait_for(lambda stats: stats["inFlight"] == 0)["cancelled"] == 0


def test_stats_over_http(fresh: ModelServer) -> None:
    """The counters can be read and set to zero from outside, and do not count themselves."""
    post(fresh, CHAT)
    fresh.wait_for(lambda stats: stats["inFlight"] == 0)
    assert httpx2.get(f"{fresh.root}/stand-in/stats").json() == fresh.stats()
    assert httpx2.post(f"{fresh.url}/stand-in/reset").json()["requests"] == 0
