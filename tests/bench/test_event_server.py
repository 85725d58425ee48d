"""The streaming backend and its reader."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator

import httpx2
import pytest

from bench.event_client import EventClient
from bench.load import chat_call
from local.processes import Process


@pytest.fixture
def port() -> Iterator[int]:
    """A running event server's port."""
    server = Process("event server", [sys.executable, "-m", "bench.event_server"])
    server.start()
    yield json.loads(server.wait_for_line(lambda line: line.startswith("{"), 30))["port"]
    server.stop()


def test_a_whole_answer_takes_as_long_as_it_is_told(port: int) -> None:
    """One chat completion, and the connection can be used again."""
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(2):
            started = time.monotonic()
            answer = client.post("/v1/chat/completions?whole=1&milliseconds=20", json={})
            assert time.monotonic() - started >= 0.019
            assert answer.json()["object"] == "chat.completion"


async def test_numbered_events_say_ten_characters_each(port: int) -> None:
    """No two streams the same."""
    said = []
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(2):
            answer = await client.post("/v1/chat/completions?events=2&milliseconds=1&numbered=1", json={})
            events = [json.loads(line[6:]) for line in answer.text.split("\n\n")[:2]]
            said.append([event["choices"][0]["delta"]["content"] for event in events])
    assert {len(text) for texts in said for text in texts} == {10}
    assert len({text for texts in said for text in texts}) == 4


async def test_streams_arrive_whole_on_one_connection(port: int) -> None:
    """Fast and paced, one after another; every event is counted and was under way for some time."""
    client = await EventClient.connect(port, chat_call("gw_1"))
    fast = await client.read(500, 0)
    paced = await client.read(3, 10)
    client.close()
    assert (fast.events, paced.events) == (500, 3)
    assert 0 < fast.first_event <= fast.whole
    # The third event is not due before 20 ms; the two processes' clocks may differ by a tick.
    assert paced.whole >= 0.019
    assert all(delay > 0 for delay in fast.delays + paced.delays)
