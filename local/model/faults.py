"""Spoils answers the way `Wishes` ask, between the application and the network, so that no operation knows of it."""

from __future__ import annotations

import asyncio
import json
import uuid

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local.model.connection import Connection
from local.model.errors import ModelError, status_error
from local.model.wishes import Wishes

EVENTS_BEFORE_HANG = 2
ERROR_EVENT = b"data: %s\n\n" % json.dumps(status_error(500).body).encode()


class FaultInjection:
    """Middleware: reads the wishes, puts another answer in place of the real one if they say so, delivers it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            wishes = Wishes.from_headers(scope["headers"])
        except ModelError as error:
            return await error.response()(scope, receive, send)
        scope.setdefault("state", {})["wishes"] = wishes
        delivery = Delivery(wishes, Connection.of(scope), send)
        substitute = _substitute(wishes)
        if substitute is None:
            return await self._app(scope, receive, delivery.send)
        # The caller may still be sending; an answer before the end of the request would be another fault.
        async for _ in Request(scope, receive).stream():
            pass
        return await substitute(scope, receive, delivery.send)


def _substitute(wishes: Wishes) -> Response | None:
    if wishes.redirect is not None:
        return Response(status_code=302, headers={"Location": wishes.redirect})
    if wishes.html:
        return HTMLResponse("<!doctype html><title>Sign in</title><p>This is not the API you are looking for.</p>")
    if wishes.status in (204, 304):
        return Response(status_code=wishes.status)
    return None if wishes.status is None else status_error(wishes.status).response()


class Delivery:
    """Sends one answer: `send` works on messages (an event of a stream is one), `_write` on bytes."""

    def __init__(self, wishes: Wishes, connection: Connection, send: Send) -> None:
        self._wishes = wishes
        self._connection = connection
        self._send = send
        self._is_stream = False
        self._events = 0
        self._bytes = 0
        self._over = False

    async def send(self, message: Message) -> None:
        """In place of ASGI's `send`. What comes after the fault that ends an answer goes nowhere."""
        if self._over:
            return
        if message["type"] == "http.response.start":
            await self._start(message)
        elif message["type"] == "http.response.body":
            await self._body(message.get("body", b""), message.get("more_body", False))

    async def _start(self, message: Message) -> None:
        await asyncio.sleep(self._wishes.delay)
        if self._wishes.hang == "head":
            await self._hang()
            return
        if self._wishes.reset_after_bytes == 0:
            await self._reset()
            return
        headers = [*message.get("headers", []), (b"x-request-id", f"req_{uuid.uuid4().hex}".encode())]
        self._is_stream = Headers(raw=headers).get("content-type", "").startswith("text/event-stream")
        await self._send({**message, "headers": _with_headers(headers, self._wishes.headers)})

    async def _body(self, body: bytes, more: bool) -> None:
        if self._events and body:
            await asyncio.sleep(self._wishes.chunk_delay)
        if self._is_stream and self._events == self._wishes.stream_error:
            await self._write(ERROR_EVENT, more=False)
            self._over = True
            return
        if self._wishes.hang == "body" and (self._events == EVENTS_BEFORE_HANG or not more):
            half = body[: len(body) // 2] if not self._events else b""
            await self._write(half, more=True)
            await self._hang()
            return
        self._events += bool(body)
        await self._write(body, more)

    async def _write(self, body: bytes, more: bool) -> None:
        limit = self._wishes.reset_after_bytes
        if limit is None:
            await self._send_pieces(body, more)
            return
        room = limit - self._bytes
        self._bytes += len(body)
        await self._send_pieces(body[:room], more=True)
        if self._bytes >= limit or not more:
            await self._reset()

    async def _send_pieces(self, body: bytes, more: bool) -> None:
        size = self._wishes.split_bytes or max(len(body), 1)
        for start in range(0, max(len(body), 1), size):
            is_last = start + size >= len(body)
            piece = body[start : start + size]
            await self._send({"type": "http.response.body", "body": piece, "more_body": more or not is_last})
            # Others have their turn, and so does the watch for callers who leave.
            await asyncio.sleep(0)

    async def _hang(self) -> None:
        self._over = True
        await self._connection.lost.wait()

    async def _reset(self) -> None:
        self._over = True
        await self._connection.reset()


def _with_headers(headers: list[tuple[bytes, bytes]], more: tuple[tuple[str, str], ...]) -> list[tuple[bytes, bytes]]:
    added = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in more]
    replaced = {name for name, _ in added} - {b"set-cookie"}
    return [pair for pair in headers if pair[0] not in replaced] + added
