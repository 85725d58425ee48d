"""A caller's connection to the host: HTTP/1.1 and 1.0, keep-alive, pipelining."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

import httptools

from local.host_exchange import CONTINUE, Exchange, RequestLine, refusal
from local.host_headers import BadRequest, Header, read_request_head

if TYPE_CHECKING:
    from local.host_front import Front

MAX_HEAD_BYTES = 65_536
# Seconds for which bytes of a request that is already answered are read and thrown away. Closing at once would reset
# the connection, and the caller could lose the answer that is on its way.
LINGER = 2.0


class CallerConnection(asyncio.Protocol):
    """Parses requests into exchanges and has them answered one after another, in the order they came."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._exchanges: deque[Exchange] = deque()
        self._receiving: Exchange | None = None
        self._reading = True
        self._in_head = False
        self._fruitless_bytes = 0
        self._url = b""
        self._headers: list[Header] = []
        self._linger: asyncio.TimerHandle | None = None
        self.writing_paused = False

    @property
    def must_close(self) -> bool:
        """Whether no further request may follow on this connection."""
        return self._parser is None or self._front.stopping

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._front.callers.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._parser = None
        if self._linger is not None:
            self._linger.cancel()
        exchanges, self._exchanges = self._exchanges, deque()
        for exchange in exchanges:
            exchange.abandon()
        self._front.forget_caller(self)

    def pause_writing(self) -> None:
        self.writing_paused = True
        self._adjust_worker()

    def resume_writing(self) -> None:
        self.writing_paused = False
        self._adjust_worker()

    def data_received(self, data: bytes) -> None:
        parser = self._parser
        if parser is None:
            return
        self._fruitless_bytes += len(data)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._parser = None  # what follows is another protocol, which nobody here speaks
        except httptools.HttpParserCallbackError:
            raise  # a fault of ours, not of what the caller sent
        except httptools.HttpParserError:
            # A connection that ends with the present request needs no more of what comes.
            if self._receiving is not None or not self._exchanges or self._exchanges[-1].keep_alive:
                self._refuse(400)
        # The parser keeps what it cannot hand over yet: a head, the trailers behind a body.
        if self._fruitless_bytes > MAX_HEAD_BYTES:
            self._refuse(431)

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        """Closes after what is written has been sent."""
        if self._transport is not None:
            self._transport.close()

    def close_if_idle(self) -> None:
        if not self._exchanges:
            self.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # The parser's side.

    def on_message_begin(self) -> None:
        self._in_head = True
        self._url = b""
        self._headers = []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # after the body they are trailers, which the host drops
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._fruitless_bytes = 0
        parser = self._parser
        if parser is None:
            return
        try:
            exchange = self._read_head(parser)
        except BadRequest as refusal:
            self._refuse(refusal.status)
            return
        exchange.received = not exchange.head.has_body
        self._receiving = exchange
        self._exchanges.append(exchange)
        if len(self._exchanges) == 1:
            self._front.begin(exchange)
        self.adjust_reading()

    def _read_head(self, parser: httptools.HttpRequestParser) -> Exchange:
        if sum(len(name) + len(value) + 4 for name, value in self._headers) + len(self._url) > MAX_HEAD_BYTES:
            raise BadRequest(431)
        method, version = parser.get_method(), parser.get_http_version()
        if version not in {"1.1", "1.0"}:
            raise BadRequest(505)
        head = read_request_head(self._headers, version)
        upgrade = parser.should_upgrade()
        if method == b"CONNECT" or (upgrade and head.has_body):
            raise BadRequest(400)
        request = RequestLine(method, _origin_form(self._url), version)
        return Exchange(self, request, head, keep_alive=parser.should_keep_alive() and not upgrade)

    def on_body(self, data: bytes) -> None:
        self._fruitless_bytes = 0
        if self._receiving is not None:
            self._receiving.receive_body(data)
            self.adjust_reading()

    def on_message_complete(self) -> None:
        self._fruitless_bytes = 0
        exchange, self._receiving = self._receiving, None
        if exchange is None:
            return
        exchange.receive_end()
        if exchange.ended and self._linger is not None:
            self._linger.cancel()
            self._linger = None

    # The exchanges' side.

    def send_continue(self) -> None:
        self.write(CONTINUE)

    def answered(self, exchange: Exchange) -> None:
        """The first exchange's answer is written; the next may begin."""
        self._exchanges.popleft()
        if not exchange.keep_alive or self._front.stopping:
            self._parser = None
            self.close() if exchange.received else self._close_lingering()
            return
        if not exchange.received:
            self._linger = asyncio.get_running_loop().call_later(LINGER, self.close)
        if self._exchanges:
            # Not at once: hundreds may be waiting that the host answers itself, each from within the one before.
            asyncio.get_running_loop().call_soon(self._begin, self._exchanges[0])
        self.adjust_reading()

    def _begin(self, exchange: Exchange) -> None:
        if not exchange.ended:
            self._front.begin(exchange)

    def adjust_reading(self) -> None:
        """Reads while the present request is wanted; a pipelined one waits in the socket."""
        receiving = self._receiving
        wanted = len(self._exchanges) <= 1 and (receiving is None or receiving.wants_body)
        if wanted == self._reading or self._transport is None or self._transport.is_closing():
            return
        self._reading = wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _adjust_worker(self) -> None:
        worker = self._exchanges[0].worker if self._exchanges else None
        if worker is not None:
            worker.adjust_reading()

    def _refuse(self, status: int) -> None:
        """Takes nothing more from this caller, and says why unless earlier requests are still being answered."""
        if self._parser is None:
            return  # this connection's last answer is already written
        self._parser = None
        self._in_head = False
        broken, self._receiving = self._receiving, None
        if broken in self._exchanges:  # not if it was answered before it had come whole
            self._exchanges.remove(broken)
            broken.abandon()
        if self._exchanges:
            self._exchanges[-1].keep_alive = False
            return
        if broken is not None and broken.begun:
            self.close()
            return
        self.write(refusal(status, self._front.date()))
        self._close_lingering()

    def _close_lingering(self) -> None:
        if self._transport is None:
            return
        self._receiving = None
        self.adjust_reading()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._linger = asyncio.get_running_loop().call_later(LINGER, self.close)


def _origin_form(url: bytes) -> bytes:
    """The target as the worker gets it: path and query exactly as they came."""
    if url[:1] == b"/" and b"#" not in url:
        return url
    if url == b"*":
        return url
    scheme, separator, rest = url.partition(b"://")
    if not separator or scheme.lower() not in {b"http", b"https"} or b"#" in url:
        raise BadRequest(400)
    authority, slash, path = rest.partition(b"/")
    if b"?" in authority:
        raise BadRequest(400)
    return slash + path if slash else b"/"
