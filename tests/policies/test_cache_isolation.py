"""Whatever the policy says: an answer from the cache is one that this very caller could have been given.

The embeddings of these tests make all texts mean the same, and the guard is off: nothing holds questions apart but the
scope and the conversation.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.body import RequestBody
from gateway.cache.embedder import Embedding
from gateway.cache.in_redis import InRedis
from gateway.cache.in_table import InTable
from gateway.cache.service import AnswerCache
from gateway.call import Call, Caller, Reply
from gateway.catalog.loading import parse_documents
from gateway.catalog.secrets import SecretBox
from gateway.catalog.snapshot import Snapshot
from gateway.llm.operations import openai_operation
from gateway.llm.tokens import Protocol
from gateway.policies.cache import Cache
from gateway.storage.redis_cache import RedisCacheStore
from tests.cache.entries import Day, MemoryStore
from tests.policies.test_admit import never_received
from tests.redis_server import RedisServer, empty

MEGABYTE = 1 << 20
CATALOG = """
kind: Product
name: gold
state: published
---
kind: Product
name: silver
state: published
---
kind: Api
name: one
path: one
type: openai
backend: {{url: "http://127.0.0.1:1/v1"}}
products: [gold, silver]
subscriptionRequired: false
semanticCache: {cache}
---
kind: Api
name: two
path: two
type: openai
backend: {{url: "http://127.0.0.1:1/v1"}}
products: [gold, silver]
subscriptionRequired: false
semanticCache: {cache}
"""
EMBEDDINGS = {"backend": {"url": "http://127.0.0.1:1/v1"}, "model": "all-the-same", "dimensions": 2}


@dataclass(frozen=True)
class Asking:
    """One request, and who sends it."""

    api: str = "one"
    subscription: str | None = "a"
    product: str | None = "gold"
    team: str = ""
    address: str = "10.0.0.1"
    model: str = "m"
    in_path: bool = False
    temperature: float | None = None
    tools: bool = False
    stream: bool = False
    system: str | None = None
    earlier: tuple[str, ...] = ()
    text: str = "Hello"

    @property
    def document(self) -> dict[str, Any]:
        messages = [{"role": "system", "content": self.system}] if self.system is not None else []
        roles = ("user", "assistant")
        messages += [{"role": roles[place % 2], "content": said} for place, said in enumerate(self.earlier)]
        document: dict[str, Any] = {"messages": [*messages, {"role": "user", "content": self.text}]}
        if not self.in_path:
            document["model"] = self.model
        if self.temperature is not None:
            document["temperature"] = self.temperature
        if self.tools:
            document["tools"] = [{"type": "function", "function": {"name": "f"}}]
        if self.stream:
            document["stream"] = True
        return document

    def call(self, snapshot: Snapshot) -> Call:
        headers = [(b"x-forwarded-for", self.address.encode())]
        if self.team:
            headers.append((b"x-team", self.team.encode()))
        body = RequestBody(never_received, None, has_body=False)
        call = Call("POST", f"/{self.api}/chat/completions", b"", headers, body, "id")
        call.entry, call.rest = snapshot.apis[self.api], "chat/completions"
        call.operation = openai_operation("POST", call.rest)
        call.caller = Caller(self.subscription, snapshot.products[self.product] if self.product else None)
        # Azure OpenAI has the model in the path, and not in the body.
        call.document, call.model, call.protocol = self.document, self.model, Protocol.CHAT
        call.content = json.dumps(call.document).encode()
        return call


class AllTheSame:
    """An embedder to which nothing is anything else."""

    dimensions = 2

    async def embed(self, text: str, timeout: float) -> Embedding:
        return Embedding(np.array([1.0, 0.0], np.float32), 1, 0.001)

    async def aclose(self) -> None:
        """Nothing to close."""


class World:
    """Two APIs with the same policy, one cache, and a backend that answers with the number of the request."""

    def __init__(self, policy: dict[str, Any], entries: InTable | InRedis | None = None) -> None:
        documents = parse_documents(CATALOG.format(cache=json.dumps(policy)), "test")
        self.snapshot, faults = Snapshot.build(1, list(documents), SecretBox(()), {}, None)
        assert faults == []
        never: Any = None
        # Redis has its own clock.
        self.day = Day(time.time())
        in_memory = InTable(MemoryStore(), self.day, MEGABYTE, MEGABYTE)  # type: ignore[arg-type]
        self.cache = AnswerCache(entries or in_memory, never, self.day)
        self.cache.embedder = lambda *_: AllTheSame()  # type: ignore[method-assign,assignment,return-value]
        self._chains = {name: Cache(entry, self.cache) for name, entry in self.snapshot.apis.items()}
        self.asked: list[Asking] = []

    async def ask(self, asking: Asking) -> tuple[str, Asking]:
        """What `x-cache` says, and the request that the answer was made for."""
        call = asking.call(self.snapshot)

        async def backend(call: Call) -> Reply:
            self.asked.append(asking)
            return _answer(len(self.asked) - 1, asking.stream)

        reply = await self._chains[asking.api](call, backend)
        body = reply.body if isinstance(reply.body, bytes) else b"".join([piece async for piece in reply.body])
        call.end()
        said = dict(reply.headers)[b"x-cache"].decode()
        return said, self.asked[int(_text(body, asking.stream))]


def _answer(number: int, streams: bool) -> Reply:
    about = {"id": "c", "created": 1, "model": "m"}
    if not streams:
        choice = {"index": 0, "message": {"role": "assistant", "content": str(number)}, "finish_reason": "stop"}
        body = json.dumps({**about, "object": "chat.completion", "choices": [choice]}).encode()
        return Reply(200, [(b"content-type", b"application/json")], body)
    deltas = ({"role": "assistant", "content": str(number)}, None), ({}, "stop")
    chunks = [{"index": 0, "delta": delta, "finish_reason": reason} for delta, reason in deltas]
    events = [json.dumps({**about, "object": "chat.completion.chunk", "choices": [chunk]}) for chunk in chunks]

    async def pieces() -> Any:
        for event in [*events, "[DONE]"]:
            yield f"data: {event}\n\n".encode()

    return Reply(200, [(b"content-type", b"text/event-stream")], pieces())


def _text(body: bytes, streams: bool) -> str:
    if not streams:
        return str(json.loads(body)["choices"][0]["message"]["content"])
    events = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: {")]
    return "".join(event["choices"][0]["delta"].get("content") or "" for event in events if event["choices"])


# What each part of `varyBy` holds apart.
PARTS = {
    "subscription": lambda asking: asking.subscription,
    "product": lambda asking: asking.product,
    "ip": lambda asking: asking.address,
    "header:x-team": lambda asking: asking.team,
    "user:x-team": lambda asking: asking.team,
}
POLICIES = st.fixed_dictionaries(
    {
        "embeddings": st.just(EMBEDDINGS),
        "scoreThreshold": st.sampled_from([0, 0.05, 1]),
        "varyBy": st.lists(st.sampled_from(sorted(PARTS)), unique=True, max_size=3),
        "ignoreSystemMessages": st.booleans(),
        "guard": st.just(False),
        "mode": st.sampled_from(["on", "on", "on", "exact", "shadow"]),
        "maxEntries": st.sampled_from([1, 3, 10_000]),
    }
)
VALUES: dict[str, list[Any]] = {
    "api": ["one", "two"],
    "subscription": [None, "a", "b"],
    "product": [None, "gold", "silver"],
    "team": ["", "x", "y", "subscription:a"],
    "address": ["10.0.0.1", "10.0.0.2"],
    "model": ["m", "n"],
    "in_path": [False, True],
    "temperature": [None, 0, 1],
    "tools": [False, True],
    "stream": [False, True],
    "system": [None, "Be brief.", "Be rude."],
    "earlier": [(), ("Hi", "Hello"), ("Hi", "Go away")],
    "text": ["Hello", "Good evening", "What is 2 + 2?"],
}
ASKINGS = st.builds(Asking, **{name: st.sampled_from(values) for name, values in VALUES.items()})


@st.composite
def sequences(draw: st.DrawFn) -> list[Asking]:
    """Requests that differ from the first in one thing or two, and so meet often."""
    # By a generator of its own: Hypothesis prefers what is simple, which is that nothing differs.
    choice = draw(st.randoms(use_true_random=False))
    first = Asking(**{name: choice.choice(values) for name, values in VALUES.items()})
    found = [first]
    for _ in range(12):
        names = choice.sample(list(VALUES), choice.randint(0, 2))
        found.append(replace(first, **{name: choice.choice(VALUES[name]) for name in names}))
    return found


def _sets_apart(policy: dict[str, Any], asking: Asking) -> tuple[object, ...]:
    """All that must be the same in two requests for one to be given the answer to the other."""
    ignores = policy["ignoreSystemMessages"]
    return (
        *(asking.api, asking.model, asking.temperature, asking.tools, asking.earlier),
        None if ignores else asking.system,
        *(PARTS[part](asking) for part in policy["varyBy"]),
        asking.text if policy["mode"] == "exact" else None,
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(policy=POLICIES, sequence=sequences(), together=st.booleans())
def test_no_answer_crosses(policy: dict[str, Any], sequence: list[Asking], together: bool) -> None:
    """One after the other, and at once: nothing sets who asked apart from whose answer it is."""

    asyncio.run(_check(World(policy), policy, sequence, together))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(policy=POLICIES, sequence=sequences(), together=st.booleans())
def test_no_answer_crosses_in_redis(
    redis_server: RedisServer, policy: dict[str, Any], sequence: list[Asking], together: bool
) -> None:
    """There a scope is a tag in an index that is everybody's."""

    async def scenario() -> None:
        await empty(redis_server.url)
        world = World(policy, InRedis(RedisCacheStore(redis_server.url)))
        await _check(world, policy, sequence, together)

    asyncio.run(scenario())


async def _check(world: World, policy: dict[str, Any], sequence: list[Asking], together: bool) -> None:
    if together:
        answers = await asyncio.gather(*(world.ask(asking) for asking in sequence))
    else:
        answers = [await world.ask(asking) for asking in sequence]
    for asking, (said, answered) in zip(sequence, answers, strict=True):
        assert _sets_apart(policy, asking) == _sets_apart(policy, answered), said
        if not said.startswith("HIT"):
            assert asking == answered
    await world.cache.aclose()


@settings(max_examples=60, deadline=None)
@given(policy=POLICIES, asking=ASKINGS, text=st.sampled_from(["Good evening", "Bye"]))
def test_what_nothing_sets_apart_is_answered(policy: dict[str, Any], asking: Asking, text: str) -> None:
    """So that the test above is one of something that happens: the same caller gets the answer, in other words too."""

    async def scenario() -> None:
        world = World(policy)
        serves, by_meaning = policy["mode"] != "shadow", policy["mode"] == "on"
        await world.ask(asking)
        same, _ = await world.ask(replace(asking, stream=not asking.stream))
        assert same.startswith("HIT; exact") == serves
        other, _ = await world.ask(replace(asking, text=text))
        if asking.text != text:
            assert other.startswith("HIT; semantic") == by_meaning
        await world.cache.aclose()

    asyncio.run(scenario())
