"""What metrics cost where nothing is exported: nothing."""

import subprocess
import sys
from pathlib import Path

from local.azurite import Azurite

PROGRAM = """
import asyncio
import sys
from function_app import gateway
from gateway.settings import Settings
from gateway.telemetry.recorder import build_telemetry
from starlette.requests import Request

async def receive():
    return {"type": "http.disconnect"}

async def send(message):
    if message["type"] == "http.response.start":
        print(message["status"])

async def call():
    scope = {"type": "http", "method": "GET", "path": "/x", "raw_path": b"/x", "query_string": b"", "headers": []}
    async with gateway.lifespan():
        await (await gateway.handle(Request(scope, receive)))(scope, receive, send)

asyncio.run(call())
print(build_telemetry(Settings(tables="UseDevelopmentStorage=true")))
print([name for name in sys.modules if name.startswith(("opentelemetry.", "azure.monitor."))])
"""


def test_nothing_is_imported_for_exports_that_nobody_asked_for() -> None:
    """Neither by importing the app nor by a call; and there is no recorder."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=Path(__file__).parents[2],
        # Of one that is not started: nobody answers there.
        env={"GATEWAY_TABLES": Azurite().connection_string},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stdout.split() == ["499", "None", "[]"], ran.stderr
