"""Servers that metrics are exported to: they speak OTLP over HTTP, and Application Insights' ingestion protocol."""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

PATIENCE_SECONDS = 10.0


class Receiver:
    """Takes POST requests in threads of its own. `status` is what it answers; while `hangs` it answers nothing."""

    content_type = "application/octet-stream"

    def __init__(self, status: int = 200, hangs: bool = False) -> None:
        self.status = status
        self.bodies: list[bytes] = []
        self.paths: list[str] = []
        self._news = threading.Condition()
        self._freed = threading.Event()
        if not hangs:
            self._freed.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, body: bytes) -> bytes:
        """The body of the answer to a request that is accepted."""
        return b""

    def wait_for[Found](self, look: Callable[[], Found]) -> Found:
        """What `look` finds, once it finds something."""
        with self._news:
            assert self._news.wait_for(look, PATIENCE_SECONDS), "nothing of the kind was received"
            return look()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._freed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                with receiver._news:
                    receiver.bodies.append(body)
                    receiver.paths.append(self.path)
                    receiver._news.notify_all()
                receiver._freed.wait()
                content = receiver.answer(body) if receiver.status < 300 else b""
                # Who was kept waiting has left by now.
                with contextlib.suppress(ConnectionError):
                    self.reply(content)

            def reply(self, content: bytes) -> None:
                self.send_response(receiver.status)
                self.send_header("content-type", receiver.content_type)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """The tests say what went wrong."""

        return Handler


class OtlpReceiver(Receiver):
    """An OpenTelemetry collector."""

    content_type = "application/x-protobuf"

    def answer(self, body: bytes) -> bytes:
        return ExportMetricsServiceResponse().SerializeToString()

    def requests(self) -> list[ExportMetricsServiceRequest]:
        """Every export, decoded."""
        return [ExportMetricsServiceRequest.FromString(body) for body in self.bodies]

    def metrics(self) -> dict[tuple[str, str], Any]:
        """The metrics of the last export, by meter and name."""
        found = {}
        for request in self.requests()[-1:]:
            for scope in request.resource_metrics[0].scope_metrics:
                for metric in scope.metrics:
                    assert (scope.scope.name, metric.name) not in found
                    found[scope.scope.name, metric.name] = metric
        return found


class InsightsReceiver(Receiver):
    """Application Insights' ingestion endpoint."""

    content_type = "application/json"

    def answer(self, body: bytes) -> bytes:
        count = len(json.loads(body))
        errors = [{"index": 0, "statusCode": 500, "message": "busy"}] if self.status == 206 else []
        accepted = count - len(errors)
        return json.dumps({"itemsReceived": count, "itemsAccepted": accepted, "errors": errors}).encode()

    @property
    def connection_string(self) -> str:
        return f"InstrumentationKey=00000000-1111-2222-3333-444444444444;IngestionEndpoint={self.url}"

    def envelopes(self) -> list[dict[str, Any]]:
        """All that was received, in order."""
        return [envelope for body in self.bodies for envelope in json.loads(body)]


def attributes_of(point: Any) -> dict[str, Any]:
    """The attributes of a decoded point."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in point.attributes}
