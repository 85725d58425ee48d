"""The gateway as it is measured: Azurite, a catalog, and the Functions host and worker with the app."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.faults import BenchFailed
from bench.storage_counter import StorageCounter
from local.azurite import ACCOUNT, Azurite, free_port
from local.health import is_ready
from local.processes import REPOSITORY, Process

READY_SECONDS = 60.0
STOP_SECONDS = 30.0

CATALOG = """
kind: Product
name: starter
state: published
---
kind: Api
name: openai
path: openai
type: openai
backend: {{url: "http://127.0.0.1:{backend}/v1"}}
products: [starter]
{limits}
---
kind: Api
name: events
path: events
type: openai
backend: {{url: "http://127.0.0.1:{events}/v1"}}
products: [starter]
---
kind: Api
name: cached
path: cached
type: openai
backend: {{url: "http://127.0.0.1:{backend}/v1"}}
products: [starter]
semanticCache: {{mode: exact}}
---
kind: Api
name: screened
path: screened
type: openai
backend: {{url: "http://127.0.0.1:{backend}/v1"}}
products: [starter]
contentSafety: {{backend: {{url: "{safety}"}}, {screening}}}
---
kind: Api
name: screened-events
path: screened-events
type: openai
backend: {{url: "http://127.0.0.1:{events}/v1"}}
products: [starter]
contentSafety: {{backend: {{url: "{safety}"}}, {screening}, enforceOnCompletions: true, windowSize: {window}}}
---
kind: Subscription
name: bench
scope: /products/starter
"""


SCREENING = "categories: {Hate: 4, SelfHarm: 4, Sexual: 4, Violence: 4}, shieldPrompt: true"
# In code points; the default.
WINDOW = 1_000

# Never reached, but counted, reserved and settled at every call; a price, so that the cost is computed too.
LIMITS = """tokenLimit:
  counterKey: subscription
  tokensPerMinute: 1000000000
  tokenQuota: 1000000000000
  tokenQuotaPeriod: Monthly
  estimatePromptTokens: true
  remainingTokensHeaderName: x-remaining-tokens
prices: {"*": {input: 2.50, cachedInput: 1.25, output: 10.00}}
tokenMetrics: {dimensions: {Team: "header:x-team", Subscription ID: null, Model: null}}
"""


class GatewayUnderTest:
    """Started with default settings: the request log is on, and subscriptions are required.

    With `limited`, its API has a token limit, and metrics are exported: to the backend, which says 200 to everything.
    """

    def __init__(
        self, folder: Path, backend_port: int, events_port: int, safety_url: str, *, limited: bool = False
    ) -> None:
        self.port = free_port()
        self.host_pid = 0
        self.worker_pid = 0
        self.key = ""
        self._folder = folder
        self._log = folder / "gateway.log"
        self._metrics = f"http://127.0.0.1:{backend_port}" if limited else None
        limits = LIMITS if limited else ""
        self._catalog = CATALOG.format(
            backend=backend_port,
            events=events_port,
            limits=limits,
            safety=safety_url,
            screening=SCREENING,
            window=WINDOW,
        )
        self._azurite = Azurite()
        self.storage = StorageCounter(self._azurite.port)
        self._environment: dict[str, str] = {}
        self._stack = ExitStack()

    def start(self) -> None:
        """Ready to take calls when it returns. `stop()` is safe however far this came."""
        self._stack.callback(self._azurite.stop)
        self._azurite.start()
        self.storage.start()
        self._stack.callback(self.storage.stop)
        self._folder.mkdir(exist_ok=True)
        environment = gateway_environment(self._azurite.connection_string, self._azurite.port, self.storage.port)
        if self._metrics is not None:
            environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": self._metrics, "OTEL_METRIC_EXPORT_INTERVAL": "5000"}
        self.key = self._apply(environment)
        self._environment = environment
        ready = self._start_host(self.port, self._stack)
        self.host_pid, self.worker_pid = ready["pid"], ready["workerPid"]
        self._wait_for_health()

    @contextmanager
    def another(self) -> Iterator[int]:
        """One more on the same storage, as a second instance is started; its port, as soon as it takes calls."""
        with ExitStack() as stack:
            port = free_port()
            self._start_host(port, stack)
            yield port

    def _start_host(self, port: int, stack: ExitStack) -> dict[str, Any]:
        """What the host says when it takes calls."""
        # The log goes to a file, as a pipe would need a reader that competes for the processors.
        command = ["/bin/sh", "-c", 'exec "$@" 2>>"$0"', str(self._log), sys.executable]
        host = Process("Functions host", [*command, "-m", "local.host", "--port", str(port)], self._environment)
        stack.callback(host.stop, STOP_SECONDS)
        host.start()
        ready: dict[str, Any] = json.loads(host.wait_for_line(lambda line: line.startswith('{"url"'), READY_SECONDS))
        return ready

    def stop(self) -> None:
        """Everything it started."""
        self._stack.close()

    def empty_log(self) -> None:
        """A million lines are half a gigabyte; they are appended, so that cutting them off is safe at any time."""
        if self._log.exists():
            os.truncate(self._log, 0)

    def _apply(self, environment: dict[str, str]) -> str:
        file = self._folder / "catalog.yaml"
        file.write_text(self._catalog)
        command = [sys.executable, "-m", "gateway", "apply", "-f", str(file), "--json"]
        done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchFailed(f"the catalog was not accepted: {(done.stderr or done.stdout).strip()}")
        return str(json.loads(done.stdout)["keys"]["bench"]["primaryKey"])

    def _wait_for_health(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not is_ready(self.port):
            if time.monotonic() > deadline:
                raise BenchFailed(f"the gateway is not ready after {READY_SECONDS:.0f} s")
            time.sleep(0.05)


def gateway_environment(connection_string: str, azurite_port: int, counter_port: int) -> dict[str, str]:
    """Only what the gateway needs, so that the caller's own settings do not change what is measured."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    counted = connection_string.replace(f":{azurite_port}/{ACCOUNT}", f":{counter_port}/{ACCOUNT}")
    return {**kept, "PYTHONPATH": str(REPOSITORY), "GATEWAY_TABLES": counted}
