"""The seam to the Azure Functions worker: requests and responses stream through it, as Starlette's own classes.

The worker looks for a module like this one when `function_app` is imported (it is found through the metaclasses of
`azurefunctions.extensions.base`), starts its `WebServer`, and hands it one callable, `catch_all`. The host sends each
HTTP request twice: the request itself to our server, with the header `x-ms-invocation-id`, and an invocation of that
id over its own channel. `catch_all(request)` leaves the request with the worker's coordinator, which calls the function
and gives back what it returned; we write that to the caller.

A handler is annotated with Starlette's `Request` and returns a Starlette `Response`, of any subclass: it is called as
an ASGI application, `await response(scope, receive, send)`. `scope["raw_path"]` is the path as it came, still
percent-encoded.

There are no routes here: nothing is answered but through a function, save a 404 for what the host did not send.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, ClassVar

from azurefunctions.extensions.base import (  # type: ignore[import-untyped]
    RequestSynchronizer,
    RequestTrackerMeta,
    ResponseLabels,
    ResponseTrackerMeta,
)
from azurefunctions.extensions.base import WebApp as BaseWebApp
from azurefunctions.extensions.base import WebServer as BaseWebServer
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

CatchAll = Callable[[Request], Awaitable[Response]]
Lifespan = Callable[[], AbstractAsyncContextManager[Any]]

INVOCATION_HEADER = b"x-ms-invocation-id"

# Seconds. Longer than the host keeps an idle connection (.NET's default is 60 s), so that it is the host that closes
# and a request never meets a connection that we are closing at that moment.
KEEP_ALIVE = 120
# Seconds for calls in flight once the platform has asked us to stop; after that they are cancelled.
GRACEFUL_SHUTDOWN = 10

# In the scope of a request whose connection is closed because this process stops.
IS_STOPPING = "stopping"

log = logging.getLogger(__name__)


class _RouteParameters(RequestSynchronizer):  # type: ignore[misc]  # the base has no types
    """Puts the host's route parameters where Starlette keeps them: `request.path_params`."""

    def sync_route_params(self, request: Request, path_params: Mapping[str, str]) -> None:
        request.scope["path_params"] = dict(path_params)


class TrackedRequest(metaclass=RequestTrackerMeta):  # type: ignore[metaclass]
    """Tells the worker which class a handler's request parameter has."""

    request_type = Request
    synchronizer = _RouteParameters()


class TrackedResponse(metaclass=ResponseTrackerMeta):  # type: ignore[metaclass]
    """Tells the worker which class, with its subclasses, a handler returns."""

    label = ResponseLabels.STANDARD
    response_type = Response


class WebApp(BaseWebApp):  # type: ignore[misc]
    """The ASGI application: from the worker's `catch_all` to the caller, with nothing in between.

    `lifespan` may be set by `function_app` when it is imported; the context it makes is entered before the first call
    is taken and left when the server stops. If entering fails the worker ends, and the host reports it and tries again.
    `stopping`, which may be set too, answers the calls whose functions are still at work when the server stops; the
    scope of their requests has `IS_STOPPING` then.
    """

    lifespan: ClassVar[Lifespan | None] = None
    stopping: ClassVar[ASGIApp] = Response(status_code=503, headers={"retry-after": "1"})

    def route(self, func: CatchAll) -> CatchAll:
        self._catch_all = func
        self._references = _context_references(func)
        return func

    def get_app(self) -> WebApp:
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._run_lifespan(receive, send)
            return
        invocation_id = _invocation_id(scope)
        if invocation_id is None:
            # Not from the host, so no function will ever answer it.
            await Response(status_code=404)(scope, receive, send)
            return
        try:
            response = await self._call_function(Request(scope, receive, send))
        except asyncio.CancelledError:
            # uvicorn is stopping, and the function, which runs in a task of its own, has not finished.
            scope[IS_STOPPING] = True
            await type(self).stopping(scope, receive, send)
            return
        try:
            await response(scope, receive, send)
        finally:
            # The coordinator keeps the reference, and through it the request, for ever. However a call ends, it goes.
            self._references.pop(invocation_id, None)

    async def _call_function(self, request: Request) -> Response:
        try:
            return await self._catch_all(request)
        except Exception:
            # The worker has given the traceback to the host's log with the failed invocation; the caller gets none.
            log.debug("a function failed", exc_info=True)
            return Response(status_code=500)

    async def _run_lifespan(self, receive: Receive, send: Send) -> None:
        lifespan = type(self).lifespan or nullcontext
        await receive()
        async with lifespan():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


class WebServer(BaseWebServer):  # type: ignore[misc]
    """uvicorn, on the port the worker chose.

    In the worker uvicorn runs in the main thread, where it takes over SIGTERM and SIGINT while it serves: it stops
    accepting, lets calls in flight finish, leaves the lifespan, puts the earlier handlers back and raises the signal
    again, so that the worker itself then ends as it would have. That is what we want of it, with a bound on the wait,
    which uvicorn does not have by default.
    """

    async def serve(self) -> None:
        import uvicorn  # its command line and supervisors cost 70 ms; programs that import the app need not pay

        config = uvicorn.Config(
            self.web_app,
            host=self.hostname,
            port=self.port,
            http=_one_write_protocol(),
            ws="none",
            lifespan="on",
            interface="asgi3",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=GRACEFUL_SHUTDOWN,
        )
        logging.getLogger("uvicorn.error").addFilter(_is_news)
        await uvicorn.Server(config).serve()


def _is_news(record: logging.LogRecord) -> bool:
    # An answer that its backend broke off is left without an end on purpose, and has its line in the request log.
    return not str(record.msg).startswith("ASGI callable returned without completing response")


class _Corked:
    """A transport that sends two writes made in one turn of the loop together: a small answer's head and its body.

    What is written alone goes out before the loop turns.
    """

    __slots__ = ("_loop", "_pending", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pending = b""

    def write(self, data: bytes) -> None:
        if self._pending:
            data, self._pending = self._pending + data, b""
            self._transport.write(data)
        elif data:
            self._pending = data
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._pending:
            data, self._pending = self._pending, b""
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _one_write_protocol() -> type[asyncio.Protocol]:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    class OneWriteProtocol(HttpToolsProtocol):
        """uvicorn's HTTP protocol on a corked transport."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(_Corked(transport, self.loop))  # type: ignore[arg-type]

    return OneWriteProtocol


def _invocation_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == INVOCATION_HEADER:
            decoded: str = value.decode("latin-1")
            return decoded
    return None


def _context_references(catch_all: CatchAll) -> MutableMapping[str, object]:
    """The coordinator's table of calls, by invocation id.

    It has no public way to drop an entry. It is reached through the module of `catch_all`, because the worker's package
    has one name up to Python 3.12 and another from 3.13 on.
    """
    coordinator = getattr(catch_all, "__globals__", {}).get("http_coordinator")
    references = getattr(coordinator, "_context_references", None)
    if isinstance(references, MutableMapping):
        return references
    log.warning("the worker's coordinator has changed: its references to finished calls cannot be dropped")
    return {}
