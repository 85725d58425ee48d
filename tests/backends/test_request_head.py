"""Requests that could be read as other requests never leave."""

import httpx2
import pytest

from gateway.backends.request_head import outgoing

HOST = (b"Host", b"backend")


def encode(headers, method="GET", content=b"", target=b"/"):
    """Encode a request with exactly these headers."""
    stream = httpx2.ByteStream(content)
    return outgoing(
        httpx2.Request(method, "http://backend/", headers=headers, stream=stream, extensions={"target": target})
    )


REFUSED = {
    "CR LF in a value": {"headers": [HOST, (b"X", b"a\r\nB: c")]},
    "LF in a value": {"headers": [HOST, (b"X", b"a\nB: c")]},
    "CR in a value": {"headers": [HOST, (b"X", b"a\rb")]},
    "NUL in a value": {"headers": [HOST, (b"X", b"a\0b")]},
    "LF in a name": {"headers": [HOST, (b"X\nY", b"a")]},
    "colon in a name": {"headers": [HOST, (b"X:", b"a")]},
    "space in a name": {"headers": [HOST, (b"X ", b"a")]},
    "no name": {"headers": [HOST, (b"", b"a")]},
    "no host": {"headers": []},
    "two hosts": {"headers": [HOST, (b"host", b"other")]},
    "space in the target": {"headers": [HOST], "target": b"/a b"},
    "LF in the target": {"headers": [HOST], "target": b"/a\nb"},
    "bytes beyond ASCII in the target": {"headers": [HOST], "target": b"/\xc3\xa9"},
    "space in the method": {"headers": [HOST], "method": "GET /"},
    "no method": {"headers": [HOST], "method": ""},
    "CONNECT": {"headers": [HOST], "method": "CONNECT"},
    "length and chunks": {"headers": [HOST, (b"Content-Length", b"0"), (b"Transfer-Encoding", b"chunked")]},
    "two lengths": {"headers": [HOST, (b"Content-Length", b"0"), (b"content-length", b"0")]},
    "length is no number": {"headers": [HOST, (b"Content-Length", b"+0")]},
    "wrong length": {"headers": [HOST, (b"Content-Length", b"2")], "content": b"abc"},
    "body without a length": {"headers": [HOST], "content": b"abc"},
    "unknown coding": {"headers": [HOST, (b"Transfer-Encoding", b"gzip")]},
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(name):
    """Anything that would let one request become two, or another one, is a LocalProtocolError."""
    with pytest.raises(httpx2.LocalProtocolError):
        encode(**REFUSED[name])


def test_headers_go_out_as_given():
    """Order, spelling and repetition are kept; nothing is added."""
    request = encode([(b"B", b"1"), HOST, (b"a", b""), (b"B", b"2 \xe9")], target=b"/x?y")
    assert request.head == b"GET /x?y HTTP/1.1\r\nB: 1\r\nHost: backend\r\na: \r\nB: 2 \xe9\r\n\r\n"
    assert request.body == b""


def test_a_stream_is_left_alone():
    """A body that comes piece by piece is not touched before the connection is there."""

    class Untouchable(httpx2.AsyncByteStream):
        def __aiter__(self):
            raise AssertionError("not yet")

    stream = Untouchable()
    request = outgoing(
        httpx2.Request("PUT", "http://backend/", headers=[HOST, (b"Content-Length", b"9")], stream=stream)
    )
    assert (request.body, request.stream, request.length) == (None, stream, 9)


def test_only_asynchronous_streams():
    """A blocking stream would block everybody."""
    with pytest.raises(TypeError):
        outgoing(httpx2.Request("PUT", "http://backend/", content=iter([b"a"])))
