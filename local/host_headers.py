"""What of a message's headers the host reads, what it keeps to itself, and what it sends on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from types import MappingProxyType

Header = tuple[bytes, bytes]

INVOCATION_HEADER = b"x-ms-invocation-id"
CHUNKED_LINE = b"transfer-encoding: chunked\r\n"
CLOSE_LINE = b"connection: close\r\n"
KEEP_ALIVE_LINE = b"connection: keep-alive\r\n"

# They belong to one connection, so each side has its own. Expect is answered by the host.
_NOT_FORWARDED = frozenset(
    {
        b"connection",
        b"expect",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        INVOCATION_HEADER,
    }
)
# `Connection` names headers that stay on its connection; these it cannot take away. Without its length or its host a
# message means something else to the next reader: the body of one request would be read as another request. (The line
# for `transfer-encoding` is our own, written last.) The first three are no headers.
_NEVER_TAKEN_AWAY = frozenset({b"", b"close", b"keep-alive", b"content-length", b"host"})
_REQUEST_HEADERS = MappingProxyType(
    {
        b"host": "host",
        b"content-length": "content_length",
        b"transfer-encoding": "transfer_encoding",
        b"expect": "expect",
        b"traceparent": "trace_parent",
        b"tracestate": "trace_state",
        b"x-functions-key": "function_key",
    }
)
# Twice the same one of these makes a request that two servers may understand in two ways.
_ONCE = frozenset({"host", "content_length", "transfer_encoding"})


class BadRequest(Exception):
    """The request's head cannot be trusted; the connection is closed after the answer."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(slots=True)
class RequestHead:
    """The headers the host acts on, as they came, and `lines`: those that go to the worker, ready to be written."""

    lines: list[bytes] = field(default_factory=list)
    host: bytes | None = None
    content_length: bytes | None = None
    transfer_encoding: bytes | None = None
    expect: bytes | None = None
    trace_parent: bytes | None = None
    trace_state: bytes | None = None
    function_key: bytes | None = None

    @property
    def has_body(self) -> bool:
        return self.transfer_encoding is not None or self.content_length not in {None, b"0"}


def read_request_head(headers: Iterable[Header], http_version: str) -> RequestHead:
    """Raises BadRequest for a head that could be understood in two ways. The parser has refused malformed lines."""
    head = RequestHead()
    connection = b""
    for name, value in headers:
        lower = name.lower()
        if lower == b"connection":
            connection += b"," + value
        attribute = _REQUEST_HEADERS.get(lower)
        if attribute is not None:
            if attribute in _ONCE and getattr(head, attribute) is not None:
                raise BadRequest(400)
            setattr(head, attribute, value)
        if lower not in _NOT_FORWARDED:
            head.lines.append(b"%b: %b\r\n" % (name, value))
    if http_version != "1.0" and head.host is None:
        raise BadRequest(400)
    if head.transfer_encoding is not None:
        _check_transfer_encoding(head, http_version)
    head.lines = _without_listed(head.lines, connection)
    return head


def _check_transfer_encoding(head: RequestHead, http_version: str) -> None:
    assert head.transfer_encoding is not None
    if head.content_length is not None or http_version == "1.0":
        raise BadRequest(400)
    # Only spaces: the parser takes no tab for white space here.
    if head.transfer_encoding.strip(b" ").lower() != b"chunked":
        raise BadRequest(501)


@dataclass(slots=True)
class ResponseHead:
    """Of the worker's answer: `lines` for the caller and what frames its body."""

    lines: list[bytes] = field(default_factory=list)
    content_length: bytes | None = None
    chunked: bool = False
    dated: bool = False


def read_response_head(headers: Iterable[Header]) -> ResponseHead:
    head = ResponseHead()
    connection = b""
    for name, value in headers:
        lower = name.lower()
        if lower == b"connection":
            connection += b"," + value
        elif lower == b"transfer-encoding":
            head.chunked = True
        elif lower == b"content-length":
            head.content_length = value
        elif lower == b"date":
            head.dated = True
        if lower not in _NOT_FORWARDED:
            head.lines.append(b"%b: %b\r\n" % (name, value))
    head.lines = _without_listed(head.lines, connection)
    return head


def _without_listed(lines: list[bytes], connection: bytes) -> list[bytes]:
    """Drops the headers that `Connection` names, on however many lines: they are for this connection only."""
    listed = {token.strip().lower() for token in connection.split(b",")} - _NEVER_TAKEN_AWAY
    return [line for line in lines if line.split(b":", 1)[0].lower() not in listed] if listed else lines
