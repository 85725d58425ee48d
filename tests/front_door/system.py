"""The whole gateway on this machine: Azurite, the stand-in model, the Functions host and worker, and a catalog."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2
from cryptography.fernet import Fernet

from gateway.catalog.loading import parse_documents
from gateway.catalog.secrets import SecretBox
from gateway.management.service import CatalogService
from gateway.settings import Settings
from gateway.storage.catalog import CatalogStore
from gateway.storage.subscriptions import SubscriptionStore
from gateway.storage.tables import Tables
from local.azurite import Azurite, free_port
from local.model import ModelServer
from local.processes import REPOSITORY, Process

CATALOG = """
kind: Product
name: starter
state: published
---
kind: NamedValue
name: model-key
value: sk-secret-of-the-backend
---
kind: Backend
name: model
url: {model_url}
credentials: {{header: Authorization, value: "Bearer {{{{model-key}}}}"}}
timeouts: {{connect: 2, firstByte: 2, betweenChunks: 2}}
---
kind: Api
name: openai
path: openai
type: openai
backend: model
products: [starter]
---
kind: Api
name: root
path: ""
type: openai
backend: model
products: [starter]
---
kind: Api
name: raw
path: raw
type: passthrough
backend: model
products: [starter]
---
kind: Api
name: open
path: open
type: openai
subscriptionRequired: false
backend: model
---
kind: Api
name: refused
path: refused
type: openai
backend: {{url: "http://127.0.0.1:{closed_port}/v1", timeouts: {{connect: 2}}}}
---
kind: Subscription
name: team
scope: /products/starter
---
kind: Subscription
name: everything
scope: /apis
"""


class System:
    """Started once for a group of tests; `stop()` ends every process it started.

    What is stored outlives a restart of Azurite only if `storage` is a directory.
    """

    def __init__(
        self,
        *,
        app: Path = REPOSITORY,
        environment: Mapping[str, str] | None = None,
        storage: Path | None = None,
        azurite: Azurite | None = None,
    ) -> None:
        self.azurite = azurite or Azurite(storage)
        self.model = ModelServer()
        self.lines: list[str] = []
        self.environment = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(REPOSITORY),
            "GATEWAY_TABLES": self.azurite.connection_string,
            "GATEWAY_SECRET_KEY": Fernet.generate_key().decode(),
            "GATEWAY_CATALOG_POLL_SECONDS": "0.2",
            "GATEWAY_KEY_CACHE_SECONDS": "1",
            "GATEWAY_KEEP_ALIVE_COMMENT_SECONDS": "0.6",
            **(environment or {}),
        }
        self._port = free_port()
        self._host = Process(
            "host",
            [sys.executable, "-m", "local.host", "--port", str(self._port), "--app", str(app)],
            self.environment,
            self.lines.append,
        )
        self.keys: dict[str, str] = {}
        self.worker_pid = 0

    @property
    def url(self) -> str:
        """Where the gateway answers."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        """The port in `url`."""
        return self._port

    def start(self) -> System:
        """Start everything and apply the catalog; ready to take calls when it returns."""
        self.azurite.start()
        self.apply(CATALOG.format(model_url=self.model.url, closed_port=free_port()))
        self.start_host()
        return self

    def start_host(self) -> None:
        """Start the Functions host and wait for the gateway to be ready."""
        self._host.start()
        ready = self._host.wait_for_line(lambda line: line.startswith('{"url"'), 30)
        self.worker_pid = int(json.loads(ready)["workerPid"])
        wait_until(self._is_ready)

    def _is_ready(self) -> bool:
        return httpx2.get(f"{self.url}/gateway/ready").status_code == 200

    def stop(self) -> None:
        """Stop everything."""
        self._host.stop()
        self.model.close()
        self.azurite.stop()

    def apply(self, text: str) -> None:
        """Write documents, as `python -m gateway apply` does; remembers the keys of new subscriptions."""

        async def work(service: CatalogService) -> None:
            result = await service.apply(parse_documents(text, "test"))
            self.keys.update({name: keys.primary for name, keys in result.keys.items()})

        self.manage(work)

    def manage(self, work: Callable[[CatalogService], Awaitable[Any]]) -> Any:
        """Run `work` with the service that the command line uses."""

        async def run() -> Any:
            settings = Settings.from_environment(self.environment)
            tables = Tables(settings)
            service = CatalogService(
                CatalogStore(tables), SubscriptionStore(tables), SecretBox(settings.secret_keys), self.environment
            )
            try:
                return await work(service)
            finally:
                await tables.aclose()

        return asyncio.run(run())

    def log_of(self, request_id: str) -> dict[str, Any]:
        """The request log's line for one request."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            found.extend(
                json.loads(line[line.index("{") :])
                for line in list(self.lines)
                if f'"requestId":"{request_id}"' in line
            )
            return bool(found)

        wait_until(look)
        return found[0]


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Look again and again until it is so; fail when it takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain")
        time.sleep(0.02)
