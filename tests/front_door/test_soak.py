"""Twenty thousand requests leave nothing behind in the worker."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from gateway.backends.transport import HTTP11Transport
from local.azurite import free_port
from local.processes import Process
from tests.front_door.system import System
from tests.front_door.test_bad_input import BODY, CHAT

REQUESTS = 20_000


@pytest.fixture
def diagnosed() -> Iterator[System]:
    """A system whose worker can be asked what it holds, with the model in a process of its own."""
    port = free_port()
    model = Process("model", [sys.executable, "-m", "local.model", "--port", str(port)])
    running = System(app=Path(__file__).parent / "diagnosed", environment={"GATEWAY_LOG_LEVEL": "WARNING"})
    model.start()
    try:
        url = json.loads(model.wait_for_line(lambda line: line.startswith("{"), 30))["url"]
        running.start()
        running.apply(f'{{kind: Backend, name: model, url: "{url}"}}')
        yield running
    finally:
        running.stop()
        model.stop()


async def load(system: System, count: int) -> None:
    """`count` calls of every kind, 32 at a time: whole, streamed, refused, unknown, failing."""
    key = (b"api-key", system.keys["team"].encode())
    stream = BODY | {"stream": True}
    kinds = [
        (CHAT, BODY, [key]),
        (CHAT, stream, [key]),
        (CHAT, BODY, []),
        ("/nowhere", BODY, [key]),
        (CHAT, BODY, [key, (b"x-stand-in-status", b"500")]),
    ]
    requests = [(httpx2.URL(system.url + path), json.dumps(body).encode(), headers) for path, body, headers in kinds]
    numbers = iter(range(count))
    # httpx2's own client would take ten times as long as the gateway.
    async with HTTP11Transport() as transport:

        async def caller() -> None:
            for number in numbers:
                url, body, headers = requests[number % len(requests)]
                fields = [(b"content-type", b"application/json"), *headers]
                request = httpx2.Request("POST", url, headers=fields, content=body)
                response = await transport.handle_async_request(request)
                await response.aread()

        await asyncio.gather(*[caller() for _ in range(32)])


def test_nothing_is_held_for_a_request_that_is_over(diagnosed: System) -> None:
    """No type has an object a request more than before; the coordinator holds one reference: the question's own."""
    asyncio.run(load(diagnosed, 1_000))
    before = httpx2.get(f"{diagnosed.url}/diagnosis", timeout=60).json()
    asyncio.run(load(diagnosed, REQUESTS))
    after = httpx2.get(f"{diagnosed.url}/diagnosis", timeout=60).json()
    grown = {name: count - before["objects"].get(name, 0) for name, count in after["objects"].items()}
    assert {name: count for name, count in grown.items() if count > REQUESTS / 100} == {}
    assert after["references"] == 1
