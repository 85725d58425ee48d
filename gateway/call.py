"""What the policies pass along: the Call, its Reply, and the Outcome in which it ends."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.body import RequestBody

if TYPE_CHECKING:
    from gateway.catalog.models import Product
    from gateway.catalog.snapshot import ApiEntry
    from gateway.llm.answer_reader import AnswerReader
    from gateway.llm.operations import Operation
    from gateway.llm.tokens import Protocol
    from gateway.llm.usage import Usage
    from gateway.safety.answers.screening import AnswerScreening

Header = tuple[bytes, bytes]

log = logging.getLogger("gateway")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as the admission found: a subscription, a product's context, both, or neither."""

    subscription: str | None = None
    product: Product | None = None


@dataclass(slots=True)
class Reply:
    """An answer on its way: bytes, or pieces as they come. Header names are lower case."""

    status: int
    headers: list[Header]
    body: bytes | AsyncIterator[bytes]
    code: str | None = None
    # What content safety finds in it, as long as it is read.
    safety: SafetyNote | None = None

    @property
    def is_event_stream(self) -> bool:
        """True if the body is server-sent events that can be read: compressed ones pass as any other bytes."""
        if is_compressed(self.headers):
            return False
        return any(
            name == b"content-type" and value.lstrip().lower().startswith(b"text/event-stream")
            for name, value in self.headers
        )


@dataclass(slots=True)
class Outcome:
    """How a call ended. `code` is one of `errors.CODES`, or None where all went well.

    `cached` says that no backend was asked.
    """

    status: int = 0
    code: str | None = None
    bytes_sent: int = 0
    streamed: bool = False
    aborted: bool = False
    cached: bool = False


@dataclass(slots=True)
class CacheNote:
    """What the cache has done for a call. `status` is what `x-cache` says: HIT, MISS or BYPASS, and more of it.

    `would_be` is what it would have been, had the policy not been to look only. `age` is in seconds. `stamp` says by
    which settings content safety has screened the answer; empty if it has not.
    """

    status: str
    id: str | None = None
    distance: float | None = None
    age: int | None = None
    would_be: str | None = None
    embedding_tokens: int = 0
    embedding_seconds: float | None = None
    stamp: str = ""

    def headers(self) -> list[Header]:
        """For the caller."""
        headers = [(b"x-cache", self.status.encode())]
        if self.id is not None:
            headers.append((b"x-cache-id", self.id.encode()))
        if self.distance is not None:
            headers.append((b"x-cache-distance", b"%.4f" % self.distance))
        if self.age is not None:
            headers.append((b"age", b"%d" % self.age))
        return headers


# Of content safety, from the best to the worst. `known`: it is clean, and nobody had to be asked.
SAFETY_STATUSES = ("known", "clean", "unavailable", "blocked")


@dataclass(slots=True)
class SafetyNote:
    """What content safety has found. `status`: known, clean, unavailable or blocked. `seconds`: spent screening."""

    status: str = "clean"
    seconds: float = 0.0

    def worsen(self, status: str) -> None:
        """It is this bad at least."""
        self.status = max(self.status, status, key=SAFETY_STATUSES.index)


def first_value(headers: Iterable[Header], name: bytes) -> bytes | None:
    """The first value of a header, or None. Names are lower case, as ASGI has them."""
    for key, value in headers:
        if key == name:
            return value
    return None


def is_compressed(headers: Iterable[Header]) -> bool:
    """Whether a body is encoded in any way, by any of the headers that say so."""
    return any(
        name == b"content-encoding" and value.strip().lower() not in (b"", b"identity") for name, value in headers
    )


async def close_body(body: AsyncIterator[bytes]) -> None:
    """Give a reply's body up, if it can be: not every iterator has something to close."""
    aclose = getattr(body, "aclose", None)
    if aclose is not None:
        await aclose()


EndCallback = Callable[["Call", Outcome], None]


@dataclass(slots=True)
class Call:
    """Everything known about one request; filled in as the pipeline learns it."""

    method: str
    raw_path: str
    query: bytes
    headers: Sequence[Header]
    body: RequestBody
    request_id: str
    started: float = field(default_factory=time.perf_counter)
    entry: ApiEntry | None = None
    rest: str = ""
    operation: Operation | None = None
    caller: Caller = field(default_factory=Caller)
    content: bytes | None = None
    # What `content` says, and how it says it. The document is let go of before the call is forwarded: it can take many
    # times the memory of its bytes.
    document: dict[str, Any] | None = None
    protocol: Protocol | None = None
    model: str | None = None
    # The tokens of the prompt as far as they are known before the backend tells.
    estimated_prompt: int | None = None
    reader: AnswerReader | None = None
    # At the end of the call: what the backend reported, or else what was counted here; None if nothing was used.
    usage: Usage | None = None
    usage_counted: bool = False
    # None where no cache applies.
    cache: CacheNote | None = None
    # None where nothing screens.
    safety: SafetyNote | None = None
    screening: asyncio.Task[None] | None = None
    # None where answers are not screened.
    answer_screening: AnswerScreening | None = None
    # In billionths of a US dollar.
    cost: int | None = None
    # From `started` to the first byte of the backend's answer on its way to the caller.
    first_byte_seconds: float | None = None
    # How long the call waited for others: the backend's answer, and the caller's sending and accepting.
    backend_seconds: float = 0.0
    caller_seconds: float = 0.0
    outcome: Outcome = field(default_factory=Outcome)
    _callbacks: list[EndCallback] = field(default_factory=list)

    def header(self, name: bytes) -> str | None:
        """The first value of a header, or None. `name` is lower case."""
        value = first_value(self.headers, name)
        return None if value is None else value.decode("latin-1")

    def mark_first_byte(self) -> None:
        """The backend's answer is about to go out to the caller, its first byte or another."""
        if self.first_byte_seconds is None and self.reader is not None and self.reader.status is not None:
            self.first_byte_seconds = time.perf_counter() - self.started

    def on_end(self, callback: EndCallback) -> None:
        """Have `callback` run once when the call is over, however it ends; the last registered runs first."""
        self._callbacks.append(callback)

    def end(self) -> None:
        """Run the callbacks. Safe to call twice: the second time there is nothing left to run."""
        while self._callbacks:
            callback = self._callbacks.pop()
            try:
                callback(self, self.outcome)
            except Exception:
                # One policy's bookkeeping must not keep the others from theirs.
                log.exception("an end-of-call callback failed")
