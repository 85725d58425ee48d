"""Runs a stand-in on uvicorn: in the foreground, or in a thread for tests."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Self

import uvicorn
from starlette.types import ASGIApp

from local.model.application import create_application
from local.model.connection import FaultyProtocol
from local.model.counters import Counters

BACKLOG = 2048
POLL_SECONDS = 0.005


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, port 0 for any free one; OSError when the port is taken."""
    return socket.create_server((host, port), backlog=BACKLOG)


class StandInHost(uvicorn.Server):
    """uvicorn's server, which says when it takes calls and does not wait for answers that hang on request."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drop all connections, then stop."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)


def create_server(application: ASGIApp, on_ready: Callable[[], None]) -> StandInHost:
    """The server, not yet running."""
    config = uvicorn.Config(
        application,
        http=FaultyProtocol,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
    )
    return StandInHost(config, on_ready)


class StandInServer:
    """A stand-in on a free port of 127.0.0.1, in a thread, from construction to `close()`."""

    def __init__(self, name: str, application: ASGIApp, counters: Counters) -> None:
        self._name = name
        self._socket = listen("127.0.0.1", 0)
        self.port: int = self._socket.getsockname()[1]
        self._counters = counters
        ready = threading.Event()
        self._server = create_server(application, ready.set)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name=name)
        self._thread.start()
        if not ready.wait(10):
            self.close()
            raise RuntimeError(f"the {name} did not start")

    @property
    def root(self) -> str:
        """Where it is, without a path."""
        return f"http://127.0.0.1:{self.port}"

    def stats(self) -> dict[str, Any]:
        """What `GET /stand-in/stats` answers."""
        return self._counters.snapshot()

    def reset(self) -> None:
        """Set the counters to zero."""
        self._counters.reset()

    def wait_for(self, condition: Callable[[dict[str, Any]], bool], seconds: float = 5.0) -> dict[str, Any]:
        """The stats, once they meet a condition; TimeoutError if they do not in time."""
        deadline = time.monotonic() + seconds
        while not condition(stats := self.stats()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the {self._name} still says {stats}")
            time.sleep(POLL_SECONDS)
        return stats

    def close(self) -> None:
        """Stop at once, whatever is under way; harmless when repeated."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ModelServer(StandInServer):
    """The stand-in model."""

    def __init__(self, key: str | None = None) -> None:
        counters = Counters()
        super().__init__("stand-in model", create_application(counters, key), counters)

    @property
    def url(self) -> str:
        """The base URL for OpenAI's clients; it ends in /v1."""
        return f"{self.root}/v1"
