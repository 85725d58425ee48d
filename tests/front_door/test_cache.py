"""The semantic cache as callers meet it: the official client, real storage, a real embeddings endpoint."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from tests.front_door.system import System, wait_until

CACHED = """
kind: Api
name: {name}
path: {name}
type: openai
backend: model
semanticCache:
  embeddings: {{backend: model, model: stand-in-embeddings, dimensions: 256}}
  scoreThreshold: 0.4
  embeddingTimeout: 5
{more}
---
kind: Subscription
name: {name}-one
scope: /apis/{name}
---
kind: Subscription
name: {name}-two
scope: /apis/{name}
"""


class Cached:
    """One API with a cache, and two callers."""

    def __init__(self, system: System, name: str, more: str) -> None:
        system.apply(CACHED.format(name=name, more=more))
        self.url = f"{system.url}/{name}"
        self.keys = {caller: system.keys[f"{name}-{caller}"] for caller in ("one", "two")}
        self.client = OpenAI(base_url=self.url, api_key=self.keys["one"], max_retries=0)
        wait_until(lambda: self.get("models").status_code == 200)

    def get(self, path: str) -> httpx2.Response:
        return httpx2.get(f"{self.url}/{path}", headers={"api-key": self.keys["one"]}, timeout=30)

    def ask(
        self, text: str, caller: str = "one", headers: dict[str, str] | None = None, **more: Any
    ) -> httpx2.Response:
        """A chat completion as plain HTTP, with headers to look at."""
        body = {"model": "stand-in", "messages": [{"role": "user", "content": text}], **more}
        sent = {"api-key": self.keys[caller], **(headers or {})}
        return httpx2.post(f"{self.url}/chat/completions", headers=sent, json=body, timeout=30)

    def is_warm(self) -> bool:
        """Whether the embeddings' client is loaded, which the first call has begun."""
        return "embeddings" not in self.ask("Is it warm yet?", headers={"cache-control": "no-cache"}).headers["x-cache"]


@pytest.fixture
def cached(system: System, request: pytest.FixtureRequest) -> Iterator[Cached]:
    """The API that the test asks for: its name and more settings of its cache."""
    name, more = request.param
    made = Cached(system, name, more)
    wait_until(made.is_warm)
    yield made
    made.client.close()


def with_cache(name: str, more: str = "") -> pytest.MarkDecorator:
    return pytest.mark.parametrize("cached", [(name, more)], indirect=True, ids=[name])


@with_cache("same")
def test_the_same_question_again(cached: Cached) -> None:
    """It is answered from the cache, with an id and a time of its own, and says so."""
    first, second = cached.ask("How do I boil an egg?"), cached.ask(" How do I boil an egg? \n")
    assert first.headers["x-cache"] == "MISS"
    assert second.headers["x-cache"] == "HIT; exact"
    assert second.headers["x-cache-distance"] == "0.0000"
    assert int(second.headers["age"]) >= 0
    assert second.json()["choices"] == first.json()["choices"]
    assert second.json()["usage"] == first.json()["usage"]
    assert second.json()["id"] != first.json()["id"]


@with_cache("meaning")
def test_the_same_question_in_other_words(cached: Cached) -> None:
    """Near by its embedding, and the guard agrees."""
    first = cached.ask("How do I boil an egg?")
    second = cached.ask("Please tell me, how do I boil an egg?")
    assert second.headers["x-cache"] == "HIT; semantic"
    assert 0 < float(second.headers["x-cache-distance"]) <= 0.4
    assert second.json()["choices"] == first.json()["choices"]


@with_cache("guarded")
def test_a_near_question_that_is_another(cached: Cached) -> None:
    """As near as the one before, and the guard says no."""
    cached.ask("How do I boil 2 eggs for 8 minutes?")
    assert cached.ask("How do I boil 2 eggs for 4 minutes?").headers["x-cache"] == "MISS"


@with_cache("streamed")
def test_streams_and_objects_serve_each_other(cached: Cached) -> None:
    """What was streamed answers who does not stream, and the reverse; usage only for whom it was asked."""
    messages: Any = [{"role": "user", "content": "Tell me about the sea"}]
    pieces = list(cached.client.chat.completions.create(model="stand-in", messages=messages, stream=True))
    streamed = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
    whole = cached.client.chat.completions.with_raw_response.create(model="stand-in", messages=messages)
    assert whole.headers["x-cache"] == "HIT; exact"
    assert whole.parse().choices[0].message.content == streamed
    assert whole.parse().usage is not None
    again = list(
        cached.client.chat.completions.create(
            model="stand-in", messages=messages, stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(piece.choices[0].delta.content or "" for piece in again if piece.choices) == streamed
    assert again[-1].usage is not None


@with_cache("private")
def test_nobody_gets_anothers_answer(cached: Cached) -> None:
    """By default each subscription has a cache of its own."""
    cached.ask("What is my secret plan?", "one")
    assert cached.ask("What is my secret plan?", "two").headers["x-cache"] == "MISS"
    assert cached.ask("What is my secret plan?", "one").headers["x-cache"] == "HIT; exact"


@with_cache("shared", "  varyBy: []")
def test_all_share_where_the_operator_says_so(cached: Cached) -> None:
    """`varyBy: []`."""
    cached.ask("Where is the canteen?", "one")
    assert cached.ask("Where is the canteen?", "two").headers["x-cache"] == "HIT; exact"


@with_cache("wishes")
def test_what_callers_wish(cached: Cached) -> None:
    """no-store does neither, no-cache only keeps, a distance only makes it stricter; nonsense is a 400."""
    text = "What is the tallest mountain?"
    assert cached.ask(text, headers={"cache-control": "no-store"}).headers["x-cache"] == "BYPASS; no-store"
    assert cached.ask(text).headers["x-cache"] == "MISS"
    assert cached.ask(text, headers={"cache-control": "no-cache"}).headers["x-cache"] == "MISS"
    near = "Please, what is the tallest mountain?"
    assert cached.ask(near, headers={"x-cache-max-distance": "0"}).headers["x-cache"] == "MISS"
    refused = cached.ask(text, headers={"x-cache-max-distance": "near"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "InvalidHeader")


def completions(system: System) -> int:
    """How many chat completions the backend has been asked for."""
    return int(system.model.stats()["byPath"].get("/v1/chat/completions", 0))


@with_cache("at-once")
def test_identical_calls_at_once_are_one(cached: Cached, system: System) -> None:
    """Twenty callers in the same moment, one call to the backend."""
    barrier = threading.Barrier(20)

    def ask(_: int) -> httpx2.Response:
        barrier.wait()
        return cached.ask("Count to ten, slowly", headers={"x-stand-in-delay": "0.5"})

    before = completions(system)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(ask, range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert completions(system) - before == 1
    assert sorted(answer.headers["x-cache"] for answer in answers) == ["HIT; exact"] * 19 + ["MISS"]
    lines = [system.log_of(answer.headers["x-request-id"]) for answer in answers]
    # Only the one that was asked of the backend has cost anything.
    assert sorted(line["promptTokens"] is None for line in lines) == [False] + [True] * 19


@with_cache("streams-at-once")
def test_identical_streams_at_once_are_one(cached: Cached, system: System) -> None:
    """Everybody gets all of it, and nobody the usage that only the gateway asked for."""
    barrier = threading.Barrier(5)
    messages: Any = [{"role": "user", "content": "Tell me about the sea, slowly"}]

    def ask(_: int) -> tuple[str, list[Any]]:
        barrier.wait()
        headers = {"x-stand-in-chunk-delay": "0.05"}
        pieces = list(
            cached.client.chat.completions.create(
                model="stand-in", messages=messages, stream=True, extra_headers=headers
            )
        )
        text = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
        return text, [piece.usage for piece in pieces if piece.usage]

    before = completions(system)
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(ask, range(5)))
    assert completions(system) - before == 1
    assert len({text for text, _ in answers}) == 1
    assert answers[0][0]
    assert [usage for _, usage in answers] == [[]] * 5


@with_cache("limited", "tokenLimit: {counterKey: subscription, tokensPerMinute: 100000, estimatePromptTokens: true}")
def test_an_answer_from_the_cache_costs_nothing(cached: Cached) -> None:
    """What is left of the limit is the same after it."""
    text = "How many tokens is this?"
    first = cached.ask(text)
    left = int(first.headers["x-ratelimit-remaining-tokens"])
    hits = [cached.ask(text) for _ in range(3)]
    assert {answer.headers["x-cache"] for answer in hits} == {"HIT; exact"}
    after = cached.ask("Who was the first on the moon?")
    remaining = int(after.headers["x-ratelimit-remaining-tokens"])
    assert left - remaining == after.json()["usage"]["total_tokens"]


DEAD = "  embeddings: {backend: {url: 'http://127.0.0.1:1', timeouts: {connect: 1}}, model: any}"


def test_embeddings_that_are_away(system: System) -> None:
    """A miss with its reason; the call goes through, and the same text is found all the same."""
    alive = "  embeddings: {{backend: model, model: stand-in-embeddings, dimensions: 256}}"
    assert alive in CACHED
    system.apply(CACHED.replace(alive, DEAD.replace("{", "{{").replace("}", "}}")).format(name="away", more=""))
    url, key = f"{system.url}/away/chat/completions", system.keys["away-one"]

    def ask(text: str) -> httpx2.Response:
        body = {"model": "stand-in", "messages": [{"role": "user", "content": text}]}
        return httpx2.post(url, headers={"api-key": key}, json=body, timeout=30)

    wait_until(lambda: ask("Are you there?").status_code == 200)
    wait_until(lambda: ask(str(uuid.uuid4())).headers["x-cache"] == "MISS; embeddings-unavailable")
    assert ask("Is it still the same?").status_code == 200
    assert ask("Is it still the same?").headers["x-cache"] == "HIT; exact"


@with_cache("large")
def test_a_large_answer_is_not_kept(cached: Cached) -> None:
    """It goes to its caller, and says that it was not."""
    headers = {"x-stand-in-words": "450000"}
    answers = [cached.ask("Tell me everything", headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert all(len(answer.content) > 2 * 1024 * 1024 for answer in answers)
    assert [answer.headers["x-cache"] for answer in answers] == ["MISS; too-large"] * 2


@with_cache("failing")
def test_errors_are_not_kept(cached: Cached) -> None:
    """Nor shared with who asks later."""
    assert cached.ask("Will it work?", headers={"x-stand-in-status": "500"}).status_code == 500
    answer = cached.ask("Will it work?")
    assert (answer.status_code, answer.headers["x-cache"]) == (200, "MISS")


@with_cache("shadow", "  mode: shadow")
def test_shadow_serves_nothing(cached: Cached) -> None:
    """It looks, and says what it would have done only in the log."""
    cached.ask("How tall is a giraffe?")
    assert cached.ask("How tall is a giraffe?").headers["x-cache"] == "MISS"
