"""Twenty thousand requests leave nothing behind in the worker."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.front_door.system import System
from tests.front_door.test_bad_input import BODY, CHAT

REQUESTS = 20_000


@pytest.fixture
def diagnosed() -> Iterator[System]:
    """A system whose worker can be asked what it holds."""
    running = System(app=Path(__file__).parent / "diagnosed", environment={"GATEWAY_LOG_LEVEL": "WARNING"})
    try:
        yield running.start()
    finally:
        running.stop()


async def load(system: System, count: int) -> None:
    """`count` calls of every kind, 32 at a time: whole, streamed, refused, unknown, broken off."""
    key = {"api-key": system.keys["team"]}
    kinds: list[tuple[str, dict[str, Any], dict[str, str]]] = [
        (CHAT, BODY, key),
        (CHAT, BODY | {"stream": True}, key),
        (CHAT, BODY, {}),
        ("/nowhere", BODY, key),
        (CHAT, BODY, key | {"x-stand-in-status": "500"}),
    ]
    numbers = iter(range(count))
    limits = httpx2.Limits(max_connections=32)
    async with httpx2.AsyncClient(base_url=system.url, limits=limits, timeout=60) as client:

        async def caller() -> None:
            for number in numbers:
                path, body, headers = kinds[number % len(kinds)]
                await client.post(path, json=body, headers=headers)

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
