"""Bodies that look like messages: whatever a head says about its framing, one request stays one request."""

from __future__ import annotations

import json

import pytest

from .conftest import RunningHost, connected, raw, read_until

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\nx-ms-invocation-id: forged\r\n\r\n"
SIZE = len(SMUGGLED)
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (SIZE, SMUGGLED)
POST = b"POST /upload HTTP/1.1\r\nHost: x\r\n"
LENGTH = b"Content-Length: %d\r\n" % SIZE
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def taken(host: RunningHost) -> list[list[str]]:
    """What the worker's web server took for requests so far, the asking ones left out."""
    return [request for request in host.diagnostics()["taken"] if request[1] != "/diagnostics"]


ONE_REQUEST = {
    "Connection lists the length": LENGTH + b"Connection: content-length\r\n\r\n" + SMUGGLED,
    "in another case": LENGTH + b"Connection: CONTENT-Length\r\n\r\n" + SMUGGLED,
    "with keep-alive": LENGTH + b"Connection: keep-alive, content-length\r\n\r\n" + SMUGGLED,
    "on the first of two lines": LENGTH + b"Connection: content-length\r\nConnection: keep-alive\r\n\r\n" + SMUGGLED,
    "on the second of two lines": LENGTH + b"Connection: close\r\nConnection: content-length\r\n\r\n" + SMUGGLED,
    "Connection lists all framing": LENGTH + b"Connection: host, content-length, transfer-encoding\r\n\r\n" + SMUGGLED,
    "Connection lists the coding": CHUNKED + b"Connection: transfer-encoding, host\r\n\r\n" + CHUNKS,
    "Connection lists the invocation": LENGTH + b"Connection: x-ms-invocation-id\r\n\r\n" + SMUGGLED,
    "Proxy-Connection lists the length": LENGTH + b"Proxy-Connection: content-length\r\n\r\n" + SMUGGLED,
    "a coding in capitals and spaces": b"Transfer-Encoding:  Chunked \r\n\r\n" + CHUNKS,
    "a name that is only like the coding's": LENGTH + b"Transfer_Encoding: chunked\r\n\r\n" + SMUGGLED,
    "a length with zeros and spaces": b"Content-Length: 00%d \t\r\n\r\n" % SIZE + SMUGGLED,
    "a chunk with an extension": CHUNKED + b"\r\n%x;name=value\r\n%b\r\n0\r\n\r\n" % (SIZE, SMUGGLED),
}


@pytest.mark.parametrize("case", ONE_REQUEST)
def test_body_stays_a_body(host: RunningHost, case: str) -> None:
    """The function reads the whole body, the worker sees one request, and the next caller gets an answer of its own."""
    before = taken(host)
    with connected(host) as connection:
        connection.sendall(POST + ONE_REQUEST[case])
        assert b'{"size":%d,' % SIZE in read_until(connection, b"}")
    assert host.get("/plain").text == "from a thread"
    assert taken(host)[len(before) :] == [["POST", "/upload"], ["GET", "/plain"]]


REFUSED = {
    "an older version with a coding": (b"POST /upload HTTP/1.0\r\n" + CHUNKED + b"\r\n" + CHUNKS, 400),
    "no chunks at all": (POST + b"Transfer-Encoding: identity\r\n\r\n" + SMUGGLED, 501),
    "no chunks but a length": (POST + LENGTH + b"Transfer-Encoding: identity\r\n\r\n" + SMUGGLED, 400),
    "chunks twice": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + CHUNKS, 400),
    "chunks on two lines": (POST + CHUNKED + CHUNKED + b"\r\n" + CHUNKS, 400),
    "chunks inside another coding": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + CHUNKS, 400),
    "chunks after a comma": (POST + b"Transfer-Encoding: ,chunked\r\n\r\n" + CHUNKS, 501),
    "chunks with a parameter": (POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n" + CHUNKS, 501),
    "chunks in quotes": (POST + b'Transfer-Encoding: "chunked"\r\n\r\n' + CHUNKS, 501),
    "chunks and a tab": (POST + b"Transfer-Encoding: chunked\t\r\n\r\n" + CHUNKS, 501),
    "chunks and a vertical tab": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + CHUNKS, 400),
    "an empty coding and a length": (POST + LENGTH + b"Transfer-Encoding:\r\n\r\n" + SMUGGLED, 400),
    "both framings": (POST + LENGTH + CHUNKED + b"\r\n" + CHUNKS, 400),
    "a space before the coding's colon": (POST + LENGTH + b"Transfer-Encoding : chunked\r\n\r\n" + CHUNKS, 400),
    "a space before the length's colon": (POST + b"Content-Length : %d\r\n\r\n" % SIZE + SMUGGLED, 400),
    "a space before the length": (POST + b" " + LENGTH + b"\r\n" + SMUGGLED, 400),
    "two lengths": (POST + LENGTH + b"Content-Length: 0\r\n\r\n" + SMUGGLED, 400),
    "two lengths, reversed": (POST + b"Content-Length: 0\r\n" + LENGTH + b"\r\n" + SMUGGLED, 400),
    "the same length twice": (POST + LENGTH + LENGTH + b"\r\n" + SMUGGLED, 400),
    "a length with a sign": (POST + b"Content-Length: +%d\r\n\r\n" % SIZE + SMUGGLED, 400),
    "a length below nothing": (POST + b"Content-Length: -1\r\n\r\n" + SMUGGLED, 400),
    "a length with an underscore": (POST + b"Content-Length: 1_0\r\n\r\n" + SMUGGLED, 400),
    "a length in base 16": (POST + b"Content-Length: 0x10\r\n\r\n" + SMUGGLED, 400),
    "a length that overflows": (POST + b"Content-Length: 18446744073709551616\r\n\r\n" + SMUGGLED, 400),
    "an empty length": (POST + b"Content-Length:\r\n\r\n" + SMUGGLED, 400),
    "a folded length": (POST + b"Content-Length:\r\n %d\r\n\r\n" % SIZE + SMUGGLED, 400),
    "a folded coding": (POST + LENGTH + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + CHUNKS, 400),
    "a folded Connection": (POST + LENGTH + b"Connection: close,\r\n content-length\r\n\r\n" + SMUGGLED, 400),
    "bare newlines": ((POST + LENGTH + b"\r\n").replace(b"\r\n", b"\n") + SMUGGLED, 400),
    "a bare newline at the head's end": (POST + LENGTH + b"\n" + SMUGGLED, 400),
    "a coding behind a bare newline": (POST + LENGTH + b"X: y\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS, 400),
    "a length behind a bare return": (POST + b"X: y\r" + LENGTH + b"\r\n" + SMUGGLED, 400),
    "another protocol and a body": (POST + LENGTH + b"Connection: upgrade\r\nUpgrade: x\r\n\r\n" + SMUGGLED, 400),
    "a query in place of the path": (b"GET http://x?/smuggled HTTP/1.1\r\nHost: x\r\n\r\n", 400),
}


@pytest.mark.parametrize("case", REFUSED)
def test_ambiguous_framing_never_reaches_the_worker(host: RunningHost, case: str) -> None:
    """One refusal, the end of the connection, and nothing for the worker."""
    request, status = REFUSED[case]
    before = taken(host)
    answer = raw(host, request)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert taken(host) == before


BROKEN_BODIES = {
    "a newline after a chunk's size": b"%x\n%b\r\n0\r\n\r\n" % (SIZE, SMUGGLED),
    "a newline in an extension": b"%x;a\n%b\r\n0\r\n\r\n" % (SIZE, SMUGGLED),
    "a chunk longer than it says": b"%x\r\n%bxx0\r\n\r\n" % (SIZE, SMUGGLED),
    "a size that overflows": b"fffffffffffffffff0\r\n" + SMUGGLED,
    "a size below nothing": b"-1\r\n" + SMUGGLED,
    "a size with a prefix": b"0x5\r\n" + SMUGGLED,
    "newlines at the end": b"%x\r\n%b\r\n0\n\n" % (SIZE, SMUGGLED),
    "a length in the trailers": b"%x\r\n%b\r\n0\r\nContent-Length: 5\r\n\r\n" % (SIZE, SMUGGLED),
    "a coding in the trailers": b"%x\r\n%b\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n" % (SIZE, SMUGGLED),
}


@pytest.mark.parametrize("case", BROKEN_BODIES)
def test_broken_chunks_never_become_a_second_request(host: RunningHost, case: str) -> None:
    """The head is good and the worker may have it; the rest is refused, and the next caller gets an answer."""
    before = taken(host)
    answer = raw(host, POST + CHUNKED + b"\r\n" + BROKEN_BODIES[case])
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert host.get("/plain").text == "from a thread"
    assert [request for request in taken(host)[len(before) :] if request[1] != "/upload"] == [["GET", "/plain"]]


# The other way: answers of an app

FORGED = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged"
SIZED = ["content-length", str(len(FORGED))]

ANSWERS = {
    "Connection lists the length": {"headers": [SIZED, ["connection", "content-length"]]},
    "Connection lists the coding": {"headers": [["connection", "transfer-encoding, content-length"]]},
    "on the first of two lines": {"headers": [SIZED, ["connection", "content-length"], ["connection", "keep-alive"]]},
    "both framings": {"headers": [SIZED, ["transfer-encoding", "chunked"]]},
    "two lengths": {"headers": [SIZED, ["content-length", "0"]]},
    "too short a length": {"headers": [["content-length", "3"]]},
    "a line break in a header": {"headers": [SIZED, ["x", "1\r\ncontent-length: 0"]]},
    "204 with a body": {"status": 204, "headers": [SIZED]},
    "304 with a body": {"status": 304, "headers": [SIZED]},
    "a status that is no answer": {"status": 100, "headers": [SIZED]},
    "a change of protocol": {"status": 101, "headers": [SIZED, ["connection", "upgrade"], ["upgrade", "x"]]},
}


@pytest.mark.parametrize("case", ANSWERS)
def test_answer_with_an_answer_in_it_reaches_one_caller_only(host: RunningHost, case: str) -> None:
    """Whatever an app says about its framing, the requests behind get their own answers, or see the connection end."""
    wanted = json.dumps({"body": FORGED, **ANSWERS[case]}).encode()
    request = b"POST /answer HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(wanted), wanted)
    answers = raw(host, request + b"GET /items/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert host.get("/plain").text == "from a thread"
    assert answers.endswith(b'{"item":"1"}') or answers.count(b"HTTP/1.1 ") == 1


LISTED = "x-first: 1\r\nConnection: x-first\r\nConnection: close, X-Second\r\nx-second: 2\r\nx-kept: 3\r\n"


def test_every_line_of_the_callers_connection_counts(host: RunningHost) -> None:
    """What a caller's Connection lists is dropped, on however many lines it does."""
    seen = raw(host, f"GET /see HTTP/1.1\r\nHost: x\r\n{LISTED}\r\n".encode())
    assert b"x-kept" in seen
    assert b"x-first" not in seen
    assert b"x-second" not in seen


def test_every_line_of_the_apps_connection_counts(host: RunningHost) -> None:
    """What an app's Connection lists is dropped, on however many lines it does; the length stays."""
    headers = [line.split(": ") for line in LISTED.split("\r\n")[:-1]]
    body = json.dumps({"body": "abc", "headers": [["content-length", "3"], *headers]}).encode()
    with connected(host) as connection:
        connection.sendall(b"POST /answer HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        head = read_until(connection, b"abc")
    assert b"content-length: 3\r\n" in head
    assert b"x-kept: 3\r\n" in head
    assert b"x-first" not in head
    assert b"x-second" not in head
