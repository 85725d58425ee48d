"""A request as it goes over the wire: its head in one block, and how its body is framed (RFC 9112)."""

from __future__ import annotations

from string import ascii_letters, digits
from typing import NamedTuple

import httpx2

# RFC 9110, section 5.6.2: what methods and field names are made of.
TOKEN = f"{ascii_letters}{digits}!#$%&'*+-.^_`|~".encode()

# A request target may hold anything visible; a space or a line break would end it early.
VISIBLE = bytes(range(0x21, 0x7F))


class Outgoing(NamedTuple):
    """A request ready to be sent."""

    head: bytes
    # The framed body, or None if it comes piece by piece from `stream`.
    body: bytes | None
    stream: httpx2.AsyncByteStream | None
    # Of a body that comes piece by piece: its announced length, or None if it goes out in chunks.
    length: int | None
    is_head: bool


def outgoing(request: httpx2.Request) -> Outgoing:
    """Encode a request. Raises LocalProtocolError for anything that could be read as a different request."""
    headers = request.headers.raw
    names = [name.lower() for name, _ in headers]
    head = _head(request, headers, names)
    length = _announced_length(headers, names)
    is_head = request.method == "HEAD"
    stream = request.stream
    if isinstance(stream, httpx2.ByteStream):
        return Outgoing(head, _framed(b"".join(stream), length), None, length, is_head)
    if isinstance(stream, httpx2.AsyncByteStream):
        return Outgoing(head, None, stream, length, is_head)
    raise TypeError("The request's body must be bytes or an asynchronous stream.")


def _head(request: httpx2.Request, headers: list[tuple[bytes, bytes]], names: list[bytes]) -> bytes:
    method = request.method.encode()
    target = request.extensions.get("target") or request.url.raw_path
    lines = b"\r\n".join([b"%b: %b" % header for header in headers])
    head = b"%b %b HTTP/1.1\r\n%b\r\n\r\n" % (method, target, lines)
    # Our own line breaks, counted: one more than these and a value has brought its own.
    breaks = len(headers) + 2
    if head.count(b"\n") != breaks or head.count(b"\r") != breaks or b"\0" in head:
        raise httpx2.LocalProtocolError("A request header contains a line break or NUL.")
    if b"".join(names).translate(None, TOKEN) or b"" in names:
        raise httpx2.LocalProtocolError("A request header has an invalid name.")
    if not method or method.translate(None, TOKEN) or method == b"CONNECT":
        raise httpx2.LocalProtocolError("The request method is invalid or not supported.")
    if target.translate(None, VISIBLE):
        raise httpx2.LocalProtocolError("The request target contains an invalid character.")
    if names.count(b"host") != 1:
        raise httpx2.LocalProtocolError("A request must have exactly one Host header.")
    return head


def _announced_length(headers: list[tuple[bytes, bytes]], names: list[bytes]) -> int | None:
    """What Content-Length says, 0 without one, None for chunks; two answers to this question smuggle requests."""
    sized, coded = names.count(b"content-length"), names.count(b"transfer-encoding")
    if sized + coded == 0:
        return 0
    if sized + coded > 1:
        raise httpx2.LocalProtocolError("A request must have one Content-Length or one Transfer-Encoding.")
    if coded:
        if headers[names.index(b"transfer-encoding")][1].lower() != b"chunked":
            raise httpx2.LocalProtocolError("The only supported Transfer-Encoding is chunked.")
        return None
    value = headers[names.index(b"content-length")][1]
    if not value.isdigit():
        raise httpx2.LocalProtocolError("The request's Content-Length is not a number.")
    return int(value)


def _framed(body: bytes, length: int | None) -> bytes:
    if length is None:
        return chunk(body) + LAST_CHUNK if body else LAST_CHUNK
    if len(body) != length:
        raise httpx2.LocalProtocolError("The request's body is not as long as its Content-Length.")
    return body


LAST_CHUNK = b"0\r\n\r\n"


def chunk(piece: bytes) -> bytes:
    """One chunk of a chunked body. An empty one would end the body."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)
