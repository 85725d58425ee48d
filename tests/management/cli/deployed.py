"""A deployed gateway as it is seen from outside."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Deployed:
    """A gateway seen from outside: answers each path with what the test says."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {
            "/gateway/health": (200, {"status": "ok"}),
            "/gateway/ready": (200, {"status": "ready", "checks": {"catalog": "ok", "storage": "ok"}}),
        }
        deployed = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, document = deployed.answers.get(self.path, (404, {}))
                content = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *arguments: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
