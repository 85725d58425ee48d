"""The host's HTTP: bodies and connections that pass, and requests that do not."""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from .conftest import RunningHost, connected, raw, read_to_end, read_until

# Bodies and connections


def test_answer_streams_down(host: RunningHost) -> None:
    """The first chunk is with the caller before the function has made the second."""
    with httpx2.stream("GET", host.url + "/gate") as response:
        chunks = response.iter_raw()
        assert next(chunks) == b"first"
        host.get("/gate/open")
        assert b"".join(chunks) == b"second"


def test_request_streams_up(host: RunningHost) -> None:
    """The function reads the first chunk of a body, and answers with it, before the second is sent."""
    with connected(host) as connection:
        connection.sendall(b"POST /mirror HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        assert read_until(connection, b"first").startswith(b"HTTP/1.1 200 ")
        connection.sendall(b"6\r\nsecond\r\n0\r\nX-Trailer: 1\r\n\r\n")
        assert b"second" in read_until(connection, b"0\r\n\r\n")


def test_large_bodies_pass_both_ways(host: RunningHost) -> None:
    """Twenty megabytes arrive whole: sized, chunked, and echoed while they are still being sent."""
    body = os.urandom(1 << 20) * 20
    expected = {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    assert httpx2.post(host.url + "/upload", content=body, timeout=30).json() == expected
    chunks = (body[start : start + 100_000] for start in range(0, len(body), 100_000))
    assert httpx2.post(host.url + "/upload", content=chunks, timeout=30).json() == expected
    # An HTTP client that sends everything before it reads would wait for itself once the kernel's buffers are full.
    head = b"POST /mirror HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    with connected(host) as connection, ThreadPoolExecutor(1) as sender:
        sent = sender.submit(connection.sendall, head + body)
        response = http.client.HTTPResponse(connection, method="POST")
        response.begin()
        assert response.read() == body
        sent.result()


def test_slow_reader_does_not_fill_the_host(host: RunningHost) -> None:
    """While a caller does not read, the answer waits in the function, not in the host's memory."""
    size = 64 << 20
    before = resident_bytes(host.process.pid)
    with connected(host) as connection:
        connection.sendall(b"GET /blob/%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % size)
        read_until(connection, b"\r\n\r\n")
        host.get("/plain")
        assert resident_bytes(host.process.pid) - before < size / 4
        assert len(read_to_end(connection)) > size - 1_000_000


def resident_bytes(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as numbers:
        return int(numbers.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_connection_is_kept_and_pipelined_requests_come_in_order(host: RunningHost) -> None:
    """Requests sent at once on one connection are answered on it in their order."""
    requests = [b"GET /items/%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(5)]
    requests.insert(2, b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
    last = b"GET /plain HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = raw(host, b"".join(requests) + last)
    bodies = [
        b'{"item":"0"}',
        b'{"item":"1"}',
        b'{"size":3',
        b'{"item":"2"}',
        b'{"item":"3"}',
        b'{"item":"4"}',
        b"thread",
    ]
    positions = [answer.find(body) for body in bodies]
    assert positions == sorted(positions)
    assert -1 not in positions


def test_many_pipelined_requests_that_the_host_answers_itself(host: RunningHost) -> None:
    """A thousand that wait behind one call are each answered, in their order."""
    refused = b"GET /admin HTTP/1.1\r\nHost: x\r\n\r\n" * 1000
    last = b"GET /items/7 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = raw(host, b"GET /plain HTTP/1.1\r\nHost: x\r\n\r\n" + refused + last)
    assert answer.count(b"HTTP/1.1 404 ") == 1000
    assert answer.index(b"from a thread") < answer.index(b" 404 ")
    assert answer.endswith(b'{"item":"7"}')


def test_head_has_the_length_but_no_body(host: RunningHost) -> None:
    """HEAD gets the headers of the answer alone, and the connection goes on."""
    with httpx2.Client(base_url=host.url) as client:
        response = client.head("/blob/1000")
        assert response.headers["content-length"] == "1000"
        assert client.get("/plain").text == "from a thread"


@pytest.mark.parametrize(
    ("path", "connection"), [("/plain", "close"), ("/gate", "close"), ("/plain", "keep-alive"), ("/gate", "keep-alive")]
)
def test_http_1_0(host: RunningHost, path: str, connection: str) -> None:
    """An old caller gets sized or close-delimited answers, never chunks, and keep-alive only where it asked."""
    with connected(host) as caller:
        caller.sendall(f"GET {path} HTTP/1.0\r\nConnection: {connection}\r\n\r\n".encode())
        head = read_until(caller, b"\r\n\r\n")
        host.get("/gate/open")
        assert b"transfer-encoding" not in head
        kept = connection == "keep-alive" and path == "/plain"
        assert (b"connection: keep-alive" in head) is kept
        if not kept:
            assert read_to_end(caller).endswith(b"second" if path == "/gate" else b"thread") or b"thread" in head


def test_expect_is_answered_before_the_body_is_sent(host: RunningHost) -> None:
    """A caller who asks may go on, and then gets the function's answer."""
    with connected(host) as connection:
        connection.sendall(b"POST /upload HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert read_until(connection, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        assert b'"size":3' in read_until(connection, b"}")


def test_answer_before_the_body_has_come(host: RunningHost) -> None:
    """A function may answer without reading; the rest of the body is dropped and the connection serves on."""
    with connected(host) as connection:
        connection.sendall(b"POST /posted HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        assert read_until(connection, b"\r\n\r\n").startswith(b"HTTP/1.1 204 ")
        connection.sendall(b"defghij" + b"GET /plain HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_until(connection, b"thread").startswith(b"HTTP/1.1 200 ")


def test_body_that_breaks_after_the_answer(host: RunningHost) -> None:
    """The answer was whole; what remains is the end of the connection, and no fault of the host's."""
    with connected(host) as connection:
        connection.sendall(b"POST /posted HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        assert read_until(connection, b"\r\n\r\n").startswith(b"HTTP/1.1 204 ")
        connection.sendall(b"xyz\r\n")
        assert read_to_end(connection) == b""
    assert "not in deque" not in host.log.read_text()


def test_thousand_callers_at_once(host: RunningHost) -> None:
    """A thousand connections, each with a request under way at the same time, are all answered."""
    connections = [socket.create_connection(("127.0.0.1", host.port), timeout=30) for _ in range(1000)]
    try:
        for number, connection in enumerate(connections):
            connection.sendall(b"GET /items/%d HTTP/1.1\r\nHost: x\r\n\r\n" % number)
        for number, connection in enumerate(connections):
            assert b'"%d"' % number in read_until(connection, b"}")
    finally:
        for connection in connections:
            connection.close()


# What does not pass

GET = b"GET /plain HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /upload HTTP/1.1\r\nHost: x\r\n"
LENGTH = b"Content-Length: 1\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(POST + LENGTH + LENGTH + b"\r\na", 400, id="two lengths"),
        pytest.param(POST + b"Content-Length: 1, 1\r\n\r\na", 400, id="list of lengths"),
        pytest.param(
            POST + LENGTH + CHUNKED + b"\r\n1\r\na\r\n0\r\n\r\n",
            400,
            id="both framings",
        ),
        pytest.param(
            POST + CHUNKED + LENGTH + b"\r\n1\r\na\r\n0\r\n\r\n",
            400,
            id="both, reversed",
        ),
        pytest.param(POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, id="unknown coding"),
        pytest.param(POST + CHUNKED + b"\r\nxyz\r\n", 400, id="broken chunk"),
        pytest.param(GET + b"X: a\nY: b\r\n\r\n", 400, id="newline in a header"),
        pytest.param(GET + b"X: a\rY: b\r\n\r\n", 400, id="carriage return in a header"),
        pytest.param(GET + b"X: a\r\n b\r\n\r\n", 400, id="folded header"),
        pytest.param(GET + b"X: a\x00b\r\n\r\n", 400, id="null in a header"),
        pytest.param(GET + b"X : a\r\n\r\n", 400, id="space before the colon"),
        pytest.param(b"GET /plain HTTP/1.1\r\n\r\n", 400, id="no host"),
        pytest.param(GET + b"Host: y\r\n\r\n", 400, id="two hosts"),
        pytest.param(b"GET plain HTTP/1.1\r\nHost: x\r\n\r\n", 400, id="path without a slash"),
        pytest.param(b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 400, id="tunnel"),
        pytest.param(b"GET /plain HTTP/3.0\r\nHost: x\r\n\r\n", 400, id="unknown version"),
        pytest.param(b"nonsense\r\n\r\n", 400, id="no HTTP"),
        pytest.param(GET + b"X: " + b"a" * 70_000 + b"\r\n\r\n", 431, id="head too large"),
        pytest.param(GET + b"X: " + b"a" * 500_000, 431, id="header without end"),
        pytest.param(POST + CHUNKED + b"\r\n1\r\na\r\n0\r\nX: " + b"a" * 500_000, 431, id="trailer without end"),
        pytest.param(POST + CHUNKED + b"\r\n1;" + b"a" * 500_000, 431, id="chunk extension without end"),
    ],
)
def test_ambiguous_requests_are_refused(host: RunningHost, request_bytes: bytes, status: int) -> None:
    """What two servers could read in two ways is answered by the host and the connection closed."""
    answer = raw(host, request_bytes)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1") == 1


def test_request_before_a_broken_one_is_answered(host: RunningHost) -> None:
    """What came whole is answered, what follows is not, and the connection is closed."""
    answer = raw(host, GET + b"\r\n" + GET + POST)
    assert answer.count(b"HTTP/1.1 200") == 1
    assert answer.endswith(b"from a thread")


def test_other_protocols_are_not_taken_up(host: RunningHost) -> None:
    """A caller who offers to change the protocol gets an ordinary answer, and the function sees no such offer."""
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n"
    answer = raw(host, b"GET /see HTTP/1.1\r\nHost: x\r\n" + offer)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"h2c" not in answer
    assert b"http2-settings" not in answer.lower()


def test_calls_in_parallel_do_not_mix(host: RunningHost) -> None:
    """Each caller of many gets the answer to its own request."""
    with httpx2.Client(base_url=host.url) as client, ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: client.get(f"/items/{number}").json()["item"], range(500)))
    assert answers == [str(number) for number in range(500)]
