"""What crossed the wire, told by /echo."""

from __future__ import annotations

import hashlib

import httpx2
import pytest

from local.model import ModelServer


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "PROPFIND"])
@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_echo_takes_every_method(server: ModelServer, method: str, prefix: str) -> None:
    """Whatever the method, the answer says what it was."""
    assert httpx2.request(method, f"{server.root}{prefix}/echo").json()["method"] == method


def test_echo_tells_what_arrived(server: ModelServer) -> None:
    """The raw path and query, repeated headers and the hash of a body sent in pieces."""
    path = "/echo/a%2Fb//c%3A%20/?x=%41&x=2"
    pieces = [b"a" * 70_000, b"b" * 70_000]
    answer = httpx2.post(server.root + path, content=iter(pieces), headers=[("X-One", "1"), ("X-One", "2")]).json()
    assert f"{answer['path']}?{answer['query']}" == path
    assert [value for name, value in answer["headers"] if name == "x-one"] == ["1", "2"]
    assert answer["body"] == {"sha256": hashlib.sha256(b"".join(pieces)).hexdigest(), "length": 140_000}
