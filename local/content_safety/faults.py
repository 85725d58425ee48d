"""Spoils answers as planned. The gateway decides its own headers, so that faults are planned from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local.content_safety.errors import SafetyError, wanted_status
from local.content_safety.journal import Journal
from local.model.connection import Connection
from local.model.counters import CONTROL
from local.model.faults import Delivery
from local.model.wishes import Wishes

POLL_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, with which requests."""

    operation: str | None = None
    """`text:analyze`, `text:shieldPrompt`, `image:analyze` or `blocklists`; None for all of them."""
    times: int | None = 1
    """With so many requests; None until the faults are cleared."""
    status: int | None = None
    """Answer this error."""
    retry_after: int | None = None
    """Seconds of Retry-After on that error; 429 has 1 unless told."""
    delay: float = 0.0
    """Seconds before the answer; alone it is no fault but the service's own time."""
    hang: bool = False
    """Never answer."""
    reset: bool = False
    """Reset the connection in place of an answer."""
    html: bool = False
    """Answer 200 with an HTML page."""
    answer: Any = None
    """Answer 200 with this JSON."""

    @classmethod
    def from_json(cls, value: Any) -> Fault:
        """As the control route takes it; SafetyError for what is no field."""
        if not isinstance(value, Mapping):
            raise SafetyError(400, "A fault is a JSON object.")
        try:
            return cls(**value)
        except TypeError as error:
            raise SafetyError(400, f"A fault has the fields {', '.join(cls.__slots__)}.") from error

    def wishes(self) -> Wishes:
        """The part of it that happens between the answer and the network."""
        return Wishes(
            delay=self.delay,
            hang="head" if self.hang else None,
            reset_after_bytes=0 if self.reset else None,
        )

    def substitute(self) -> Response | None:
        """What is sent in place of the real answer."""
        if self.status is not None:
            return wanted_status(self.status, self.retry_after).response()
        if self.html:
            return HTMLResponse("<!doctype html><title>Sign in</title><p>This is not the service you look for.</p>")
        return None if self.answer is None else JSONResponse(self.answer)


class Plan:
    """The faults to come. Tests change it from their own thread."""

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay
        self.holding = False
        self._faults: list[Fault] = []

    def add(self, *faults: Fault) -> None:
        """Plan more; the first that fits a request spoils it."""
        self._faults = [*self._faults, *faults]

    def clear(self) -> None:
        """From now on all goes well; held requests go on."""
        self._faults = []
        self.holding = False

    def take(self, operation: str) -> Fault:
        """What happens with a request that came now."""
        for index, fault in enumerate(self._faults):
            if fault.operation in (None, operation):
                left = None if fault.times is None else fault.times - 1
                rest = [] if left == 0 else [replace(fault, times=left)]
                self._faults = [*self._faults[:index], *rest, *self._faults[index + 1 :]]
                return fault
        return Fault(delay=self.delay)


class FaultInjection:
    """Middleware: notes each request when it is read, then answers it as planned."""

    def __init__(self, app: ASGIApp, plan: Plan, journal: Journal) -> None:
        self._app = app
        self._plan = plan
        self._journal = journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if CONTROL in scope["path"]:
            await self._app(scope, receive, send)
            return
        operation = operation_of(scope["path"])
        body = await Request(scope, receive).body()
        self._journal.note(operation, body)
        while self._plan.holding:  # noqa: ASYNC110 - it is ended from another thread
            await asyncio.sleep(POLL_SECONDS)
        fault = self._plan.take(operation)
        delivery = Delivery(fault.wishes(), Connection.of(scope), send)
        answering = fault.substitute() or self._app
        await answering(scope, _replayed(body, receive), delivery.send)


def operation_of(path: str) -> str:
    """`text:analyze` and its like; all about blocklists is `blocklists`."""
    if "/blocklists" in path:
        return "blocklists"
    return path.rsplit("/", 1)[-1]


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body once more, for the application."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again
