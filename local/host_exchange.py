"""One request and its answer, between the caller's connection and the worker's.

It begins when the request's head is complete and ends when the answer is written or the caller has left. Both sides
flow at the pace of the slower: what one cannot take in, the other is not read for.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from local.host_headers import CHUNKED_LINE, CLOSE_LINE, KEEP_ALIVE_LINE, RequestHead, ResponseHead

if TYPE_CHECKING:
    from local.host_caller import CallerConnection
    from local.host_upstream import WorkerConnection

_STATUS_LINES: dict[int, bytes] = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode()) for status in HTTPStatus
}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BODILESS = frozenset({204, 304})


def refusal(status: int, date: bytes) -> bytes:
    """The answer to what is not a request, after which the connection is closed."""
    return _STATUS_LINES[status] + b"content-length: 0\r\n" + CLOSE_LINE + date + b"\r\n"


@dataclass(frozen=True, slots=True)
class RequestLine:
    method: bytes
    target: bytes
    http_version: str


class Exchange:
    """`begun` when an answer's head has been written, `received` when the request's last byte has come."""

    __slots__ = (
        "_chunk_answer",
        "_unsent",
        "begun",
        "caller",
        "deadline",
        "ended",
        "head",
        "keep_alive",
        "received",
        "request",
        "worker",
    )

    def __init__(self, caller: CallerConnection, request: RequestLine, head: RequestHead, keep_alive: bool) -> None:
        self.caller = caller
        self.request = request
        self.head = head
        self.keep_alive = keep_alive
        self.worker: WorkerConnection | None = None
        self.deadline = 0.0
        self.received = False
        self.begun = False
        self.ended = False
        self._unsent: list[bytes] = []
        self._chunk_answer = False

    # The request, on its way to the worker.

    def receive_body(self, data: bytes) -> None:
        if self.ended:
            return
        if self.head.transfer_encoding is not None:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self._pass_on(data)

    def receive_end(self) -> None:
        self.received = True
        if self.head.transfer_encoding is not None and not self.ended:
            self._pass_on(b"0\r\n\r\n")

    def _pass_on(self, data: bytes) -> None:
        if self.worker is None:
            self._unsent.append(data)
        else:
            self.worker.write(data)

    @property
    def wants_body(self) -> bool:
        """Whether more of the request can be taken in now."""
        if self.worker is None:
            return self.ended or not self._unsent
        return not self.worker.writing_paused

    def attach(self, worker: WorkerConnection) -> None:
        """The worker's connection has the head; it gets what has come of the body, and what comes from now on."""
        self.worker = worker
        for data in self._unsent:
            worker.write(data)
        self._unsent.clear()
        self.caller.adjust_reading()

    # The answer, on its way to the caller.

    def begin_answer(self, status: int, reason: bytes, head: ResponseHead, date: bytes) -> None:
        self.begun = True
        lines = [_STATUS_LINES.get(status) or b"HTTP/1.1 %d %b\r\n" % (status, reason)]
        lines += head.lines
        if not head.dated:
            lines.append(date)
        lines += self._framing(status, head)
        lines.append(b"\r\n")
        self.caller.write(b"".join(lines))

    def _framing(self, status: int, head: ResponseHead) -> list[bytes]:
        framing = []
        old_caller = self.request.http_version == "1.0"
        unsized = head.content_length is None and status not in _BODILESS and self.request.method != b"HEAD"
        if unsized and old_caller:
            self.keep_alive = False
        elif unsized:
            self._chunk_answer = True
            framing.append(CHUNKED_LINE)
        if self.caller.must_close:
            self.keep_alive = False
        if not self.keep_alive:
            framing.append(CLOSE_LINE)
        elif old_caller:
            framing.append(KEEP_ALIVE_LINE)
        return framing

    def send_body(self, data: bytes) -> None:
        self.caller.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunk_answer else data)

    def end_answer(self) -> None:
        self.ended = True
        self.worker = None
        if self._chunk_answer:
            self.caller.write(b"0\r\n\r\n")
        self.caller.answered(self)

    def answer_empty(self, status: int, date: bytes) -> None:
        """An answer of the host itself: a status and no body."""
        if self.head.expect is not None and not self.received:
            self.keep_alive = False  # the body may or may not follow, and there is no telling which
        self.begin_answer(status, b"", ResponseHead(lines=[b"content-length: 0\r\n"], content_length=b"0"), date)
        self.end_answer()

    def fail(self, status: int, date: bytes) -> None:
        """The worker will not answer. A caller who has part of an answer must see that it is broken off."""
        self.worker = None
        if self.ended:
            return
        if self.begun:
            self.ended = True
            self.caller.close()
        else:
            self.answer_empty(status, date)

    def abandon(self) -> None:
        """The caller has left."""
        self.ended = True
        worker, self.worker = self.worker, None
        if worker is not None:
            worker.abandon()
