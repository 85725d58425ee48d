"""The semantic cache in Redis as callers and operators meet it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.front_door.system import System, wait_until
from tests.management.cli.command_line import CommandLine
from tests.redis_server import PASSWORD, RedisServer

CACHED = """
kind: Api
name: cached
path: cached
type: openai
backend: model
semanticCache:
  embeddings: {backend: model, model: stand-in-embeddings, dimensions: 64}
  scoreThreshold: 0.4
  embeddingTimeout: 5
  storePrompts: true
---
kind: Subscription
name: one
scope: /apis/cached
---
kind: Subscription
name: two
scope: /apis/cached
"""


class Cached:
    """A gateway whose cache is in a Redis of its own."""

    def __init__(self, system: System, redis: RedisServer) -> None:
        self.system = system
        self.redis = redis

    def ask(self, text: str, caller: str = "one", stream: bool = False) -> httpx2.Response:
        body = {"model": "stand-in", "messages": [{"role": "user", "content": text}], "stream": stream}
        url, headers = f"{self.system.url}/cached/chat/completions", {"api-key": self.system.keys[caller]}
        return httpx2.post(url, headers=headers, json=body, timeout=30)

    def said(self, text: str, caller: str = "one", stream: bool = False) -> str:
        return self.ask(text, caller, stream).headers.get("x-cache", "")


@pytest.fixture(scope="module")
def cached() -> Iterator[Cached]:
    redis = RedisServer().start()
    system = System(environment={"GATEWAY_CACHE": redis.url})
    try:
        system.start()
        system.apply(CACHED)
        made = Cached(system, redis)
        wait_until(lambda: made.said(str(uuid.uuid4())) == "MISS")
        yield made
    finally:
        system.stop()
        redis.close()


def test_exact_by_meaning_and_for_nobody_else(cached: Cached) -> None:
    """Streams and objects serve each other; the other subscription asks its own."""
    assert cached.said("How do I boil an egg?") == "MISS"
    assert cached.said("How do I boil an egg?", stream=True) == "HIT; exact"
    wait_until(lambda: cached.said("How can I boil an egg?") == "HIT; semantic")
    assert cached.said("How do I not boil an egg?") == "MISS"
    assert cached.said("How do I boil an egg?", "two") == "MISS"


def test_the_command_line(cached: Cached, tmp_path: Path) -> None:
    """It sees and removes the same entries as in a table."""
    answer = cached.ask("What does the operator see?")
    line = CommandLine(cached.system.environment, tmp_path)
    wait_until(lambda: any(each["subscription"] == "one" for each in line.json("cache", "stats")))
    (state,) = line.json("cache", "stats", "--subscription", "one")
    assert (state["api"], state["model"]) == ("cached", "stand-in")
    again = cached.ask("What does the operator see?")
    shown = line.json("cache", "show", again.headers["x-cache-id"])
    assert shown["prompt"] == "What does the operator see?"
    assert answer.json()["choices"][0]["message"]["content"] not in json.dumps(shown)
    found = line.json("cache", "explain", "--api", "cached", "What would the operator see?")
    assert found[0]["prompt"] == "What does the operator see?"
    assert line.json("cache", "purge", "--id", again.headers["x-cache-id"]) == {"removed": 1}
    assert cached.said("What does the operator see?") == "MISS"
    assert line.json("cache", "purge", "--subscription", "one", "--yes")["removed"] >= 1
    assert line.json("cache", "stats", "--subscription", "one") == []


def test_redis_goes_away(cached: Cached) -> None:
    """Callers get their answers from the backend; the log has no password in it."""
    assert cached.said("Is anybody there?").startswith("MISS")
    cached.redis.stop()
    assert cached.said("Is it gone?") == "MISS; unavailable"
    answers = [cached.ask(f"Is it {number}?") for number in range(10)]
    assert {answer.status_code for answer in answers} == {200}
    assert "MISS; unavailable" in {answer.headers["x-cache"] for answer in answers}
    cached.redis.start()
    wait_until(lambda: cached.said("Is it back?") == "HIT; exact")
    assert any("the cache in Redis is not asked" in line for line in cached.system.lines)
    assert not any(PASSWORD in line for line in cached.system.lines)
