"""nginx, twice: with a fixed answer as the backend, and as the plain proxy that the gateway is compared with."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

from bench.faults import BenchFailed
from local.processes import Process

READY_SECONDS = 10.0

ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_767_225_600,
        "model": "fixed",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "The capital of France is Paris."},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 14, "completion_tokens": 7, "total_tokens": 21},
    }
)

# One worker each, as in every published comparison; connections are never closed for their age.
COMMON = """
daemon off;
worker_processes 1;
error_log stderr warn;
pid {folder}/{name}.pid;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/{name}-body;
    proxy_temp_path {folder}/{name}-proxy;
    fastcgi_temp_path {folder}/{name}-fastcgi;
    uwsgi_temp_path {folder}/{name}-uwsgi;
    scgi_temp_path {folder}/{name}-scgi;
{http}
}}
"""

BACKEND = """
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        default_type application/json;
        location / {{ return 200 '{answer}'; }}
    }}
"""

PROXY = """
    upstream fixed {{ server 127.0.0.1:{backend}; keepalive 64; keepalive_requests 1000000000; }}
    upstream events {{ server 127.0.0.1:{events}; keepalive 64; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        location / {{ proxy_pass http://fixed; }}
        location /events/ {{ proxy_pass http://events; proxy_buffering off; }}
    }}
    server {{
        listen 127.0.0.1:{plain} backlog=2048;
        location / {{ proxy_pass http://127.0.0.1:{backend}; }}
    }}
"""


def backend_configuration(folder: Path, port: int) -> str:
    """The same small chat completion to every request."""
    return COMMON.format(folder=folder, name="backend", http=BACKEND.format(port=port, answer=ANSWER))


def proxy_configuration(folder: Path, port: int, plain: int, backend: int, events: int) -> str:
    """On `port` everything to the backend over connections kept open, /events/ to the event server, unbuffered.

    On `plain` what nginx does when told nothing else: a new connection to the backend for each call.
    """
    servers = PROXY.format(port=port, plain=plain, backend=backend, events=events)
    return COMMON.format(folder=folder, name="proxy", http=servers)


class Nginx:
    """One nginx with its own configuration and process."""

    def __init__(self, program: str, name: str, folder: Path, port: int, configuration: str) -> None:
        self.port = port
        self._name = name
        file = folder / f"{name}.conf"
        file.write_text(configuration)
        command = [program, "-e", "stderr", "-p", str(folder), "-c", str(file)]
        self._process = Process(f"nginx ({name})", command)

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        self._process.start()
        deadline = time.monotonic() + READY_SECONDS
        while not _takes_connections(self.port):
            if self._process.returncode is not None:
                raise BenchFailed(self._process.describe_end())
            if time.monotonic() > deadline:
                raise BenchFailed(f"nginx ({self._name}) takes no connections after {READY_SECONDS:.0f} s.")
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        """The master's; the process that serves is its child."""
        return self._process.pid

    def stop(self) -> None:
        """Master and worker."""
        self._process.stop()


def _takes_connections(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
