"""Reads answers from bytes with llhttp (httptools), within limits, and says what the connection may do next."""

from __future__ import annotations

import httptools
import httpx2

from gateway.backends.answer import Answer


class AnswerReader:
    """Fills one Answer after another.

    After each `feed`: `advanced` if the head or a part of the body has come, `done` if the answer is whole, and then
    `reusable` if the server will take another request on the same connection.
    """

    __slots__ = (
        "_answer",
        "_headers",
        "_keep_alive",
        "_max_header_bytes",
        "_parser",
        "_surplus",
        "_unproductive_bytes",
        "advanced",
        "done",
    )

    def __init__(self, max_header_bytes: int) -> None:
        self._max_header_bytes = max_header_bytes
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    def begin(self, answer: Answer) -> None:
        """The next bytes belong to this answer."""
        self._answer = answer
        self._headers: list[tuple[bytes, bytes]] = []
        # Received since the head began or since the last byte of body: headers, chunk extensions, trailers.
        self._unproductive_bytes = 0
        self._keep_alive = False
        self._surplus = False
        self.advanced = False
        self.done = False

    def end(self) -> None:
        """The answer is nobody's business here any more; an idle connection must not keep it alive."""
        del self._answer

    @property
    def reusable(self) -> bool:
        """The server keeps the connection open, and has sent nothing that nobody asked for."""
        return self._keep_alive and not self._surplus

    def feed(self, data: bytes) -> None:
        """Read on. Raises RemoteProtocolError."""
        assert self._parser is not None
        self.advanced = False
        self._unproductive_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._surplus = True
            if not self.done:
                raise _protocol_error(error) from error
        if self.advanced:
            self._unproductive_bytes = 0
        elif self._unproductive_bytes > self._max_header_bytes and not self.done:
            raise _too_large()
        if self.done and self._answer.is_head:
            # llhttp would wait for the body that the headers announce.
            self._parser = httptools.HttpResponseParser(self)

    def ends_with_connection(self) -> bool:
        """The answer has a body of unknown length: it is whole when the server closes the connection."""
        framing = (b"content-length", b"transfer-encoding")
        return self._answer.status > 0 and not any(name.lower() in framing for name, _ in self._answer.headers)

    def close(self) -> None:
        """The parser holds our methods: without this only the garbage collector could free the two."""
        self._parser = None

    # What the parser calls. An exception here ends the parsing and comes back as the context of the parser's own.

    def on_message_begin(self) -> None:
        if self.done:
            self._surplus = True

    def on_status(self, part: bytes) -> None:
        if not self._answer.status:
            self._answer.reason += part

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) == 17 and name.lower() == b"transfer-encoding" and value.strip().lower() != b"chunked":
            raise httpx2.RemoteProtocolError("The answer has a Transfer-Encoding that was not asked for.")
        self._headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        parser = self._parser
        if parser is None or self.done:
            return
        status = parser.get_status_code()
        self._check_head(status, parser.get_http_version())
        headers, self._headers = self._headers, []
        if status < 200:
            self._answer.reason = b""
            return
        self._answer.status = status
        self._answer.headers = headers
        self.advanced = True
        if self._answer.is_head:
            self._complete(parser)

    def on_body(self, piece: bytes) -> None:
        if self.done:
            self._surplus = True
            return
        self._answer.pieces.append(piece)
        self._answer.buffered += len(piece)
        self.advanced = True

    def on_message_complete(self) -> None:
        if self._parser is not None and self._answer.status and not self.done:
            self._complete(self._parser)

    def _complete(self, parser: httptools.HttpResponseParser) -> None:
        self._keep_alive = parser.should_keep_alive()
        self.done = True

    def _check_head(self, status: int, version: str) -> None:
        if version == "1.0":
            self._answer.version = b"HTTP/1.0"
        elif version != "1.1":
            raise httpx2.RemoteProtocolError("The answer's HTTP version is not supported.")
        if status < 100 or status == 101:
            raise httpx2.RemoteProtocolError("The answer's status code is invalid.")
        if self._unproductive_bytes > self._max_header_bytes and _size(self._headers) > self._max_header_bytes:
            raise _too_large()


def _size(headers: list[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers)


def _too_large() -> httpx2.RemoteProtocolError:
    return httpx2.RemoteProtocolError("The answer's headers are too large.")


def _protocol_error(error: Exception) -> httpx2.RemoteProtocolError:
    if isinstance(error.__context__, httpx2.RemoteProtocolError):
        return error.__context__
    return httpx2.RemoteProtocolError(f"The answer is not valid HTTP: {error}")
