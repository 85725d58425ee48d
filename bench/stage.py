"""Everything that runs while it is measured: the backends, nginx as a proxy, and the gateway."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from bench.gateway import GatewayUnderTest
from bench.load import LoadGenerator, chat_call, repeated_call, screened_call, slow_call
from bench.nginx import Nginx, backend_configuration, proxy_configuration
from bench.processor import children
from bench.tools import Tools
from local.azurite import free_port
from local.processes import Process

READY_SECONDS = 30.0
DIRECT, PLAIN, KEPT, GATEWAY = "backend, directly", "nginx, plain proxy_pass", "nginx, upstream keepalive", "gateway"
LIMITED = "gateway, limits and metrics"
HITS, SLOW = "gateway, the same question again", "gateway, a backend that takes 50 ms"
SLOW_MILLISECONDS = 50
SCREENED, UNSCREENED = "gateway, screened, all texts known", "gateway, the same calls not screened"
SAFETY_MILLISECONDS = 30


class Stage:
    """A context manager. On the way out, whatever the reason, every process is stopped by its own id."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        events = self._start_event_server()
        safety_url = self._start_safety()
        self.safety_port = urlsplit(safety_url).port or 0
        backend, proxy, plain = free_port(), free_port(), free_port()
        self._backend = self._start_nginx("backend", folder, backend, backend_configuration(folder, backend))
        configuration = proxy_configuration(folder, proxy, plain, backend, events)
        self._proxy = self._start_nginx("proxy", folder, proxy, configuration)
        self.gateway = self._start_gateway(GatewayUnderTest(folder / "gateway", backend, events, safety_url))
        limited = GatewayUnderTest(folder / "limited", backend, events, safety_url, limited=True)
        self.limited = self._start_gateway(limited)
        self.folder = folder
        self.call = chat_call(self.gateway.key)
        self.load = LoadGenerator(self._tools.wrk, folder, self.call)
        self.ports = {DIRECT: backend, PLAIN: plain, KEPT: proxy, GATEWAY: self.gateway.port}
        self.ports[LIMITED] = self.limited.port
        # The two have a catalog and a storage each, and so a key each.
        self.calls = {LIMITED: chat_call(self.limited.key)}
        # What takes turns: where each is called, and with what.
        self.turns = {
            GATEWAY: (self.gateway.port, self.call),
            LIMITED: (self.limited.port, self.calls[LIMITED]),
            HITS: (self.gateway.port, repeated_call(self.gateway.key)),
            SLOW: (self.gateway.port, slow_call(self.gateway.key, SLOW_MILLISECONDS)),
            SCREENED: (self.gateway.port, screened_call(self.gateway.key)),
            UNSCREENED: (self.gateway.port, chat_call(self.gateway.key, "France")),
        }
        self.event_ports = {DIRECT: events, KEPT: proxy, GATEWAY: self.gateway.port}

    def _start_gateway(self, gateway: GatewayUnderTest) -> GatewayUnderTest:
        self._stack.callback(gateway.stop)
        gateway.start()
        return gateway

    def _start_event_server(self) -> int:
        server = Process("event server", [sys.executable, "-m", "bench.event_server"])
        self._stack.callback(server.stop)
        server.start()
        return int(json.loads(server.wait_for_line(lambda line: line.startswith("{"), READY_SECONDS))["port"])

    def _start_safety(self) -> str:
        delay = str(SAFETY_MILLISECONDS / 1e3)
        command = [sys.executable, "-m", "local.content_safety", "--port", "0", "--delay", delay]
        service = Process("content safety", command)
        self._stack.callback(service.stop)
        service.start()
        return str(json.loads(service.wait_for_line(lambda line: line.startswith("{"), READY_SECONDS))["url"])

    def _start_nginx(self, name: str, folder: Path, port: int, configuration: str) -> Nginx:
        nginx = Nginx(self._tools.nginx, name, folder, port, configuration)
        self._stack.callback(nginx.stop)
        nginx.start()
        return nginx

    def processes(self, target: str) -> dict[str, int]:
        """The processes a call passes through, for their use of the processors."""
        backend = {"backend": _serving(self._backend)}
        if target == DIRECT:
            return backend
        if target in (PLAIN, KEPT):
            return {"proxy": _serving(self._proxy)} | backend
        gateway = self.limited if target == LIMITED else self.gateway
        return {"worker": gateway.worker_pid, "host": gateway.host_pid} | backend


def _serving(nginx: Nginx) -> int:
    return (children(nginx.pid) or [nginx.pid])[0]
