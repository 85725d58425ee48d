"""Content safety around the cache: what is shared or kept for one caller's settings is no other's answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from gateway.backends.client import BackendClient
from gateway.backends.credentials import ManagedIdentity
from gateway.body import RequestBody
from gateway.cache.in_table import InTable
from gateway.cache.service import AnswerCache
from gateway.call import Call, Caller, Reply
from gateway.catalog.loading import parse_documents
from gateway.catalog.secrets import SecretBox
from gateway.catalog.snapshot import Snapshot
from gateway.errors import GatewayError
from gateway.llm.operations import openai_operation
from gateway.llm.tokens import Protocol
from gateway.pipeline import Next, compile_chain
from gateway.policies.cache import Cache
from gateway.policies.screen import Screen
from gateway.policies.screen_answers import ScreenAnswers
from gateway.safety.screeners import Screeners
from local.content_safety import SafetyServer
from tests.cache.entries import Day, MemoryStore
from tests.policies.served import until
from tests.policies.test_admit import never_received

CATALOG = """
kind: Product
name: guarded
state: published
contentSafety: {{backend: {{url: "{url}"}}, categories: {{Violence: 4}}, enforceOnCompletions: true}}
---
kind: Product
name: open
state: published
---
kind: Product
name: lenient
state: published
contentSafety: {{backend: {{url: "{url}"}}, categories: {{Violence: 4}}, enforceOnCompletions: true, onError: allow}}
---
kind: Product
name: questions
state: published
contentSafety: {{backend: {{url: "{url}"}}, categories: {{Violence: 4}}}}
---
kind: Api
name: one
path: one
type: openai
backend: {{url: "http://127.0.0.1:1/v1"}}
products: [guarded, lenient, questions, open]
subscriptionRequired: false
semanticCache: {{mode: exact, varyBy: []}}
"""


class Model:
    """Says what it is to say, when it is let."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __call__(self, call: Call, next: Next) -> Reply:
        self.asked += 1
        await self.may_answer.wait()
        message = {"role": "assistant", "content": self.text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        document = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        return Reply(200, [(b"content-type", b"application/json")], json.dumps(document).encode())


class World:
    """One API for three products: screened, screened in what is asked alone, and not screened."""

    def __init__(self, url: str, client: BackendClient) -> None:
        documents = parse_documents(CATALOG.format(url=url), "test")
        self.snapshot, faults = Snapshot.build(1, list(documents), SecretBox(()), {}, None)
        assert faults == []
        entry = self.snapshot.apis["one"]
        day = Day(time.time())
        never: Any = None
        self.cache = AnswerCache(InTable(MemoryStore(), day, 1 << 20, 1 << 20), never, day)  # type: ignore[arg-type]
        self.screeners = Screeners(client)
        self.model = Model("You could stab them.")
        policies = [Screen(entry, self.screeners), Cache(entry, self.cache), ScreenAnswers(), self.model]
        self._chain = compile_chain(policies)

    def call(self, product: str, text: str = "Hello") -> Call:
        call = Call("POST", "/one/chat/completions", b"", [], RequestBody(never_received, None, has_body=False), "id")
        call.entry, call.rest = self.snapshot.apis["one"], "chat/completions"
        call.operation = openai_operation("POST", call.rest)
        call.caller = Caller(product, self.snapshot.products[product])
        call.document = {"model": "m", "messages": [{"role": "user", "content": text}]}
        call.content = json.dumps(call.document).encode()
        call.model, call.protocol = "m", Protocol.CHAT
        return call

    async def ask(self, product: str, text: str = "Hello") -> tuple[int, str]:
        """The status, and what the cache says or the code of the error."""
        return await self.run(self.call(product, text))

    async def run(self, call: Call) -> tuple[int, str]:
        try:
            reply = await self._chain(call)
        except GatewayError as error:
            return error.status, error.code
        finally:
            call.end()
        assert call.cache is not None
        return reply.status, call.cache.status


@pytest.fixture
def service() -> Iterator[SafetyServer]:
    with SafetyServer() as running:
        yield running


@pytest.fixture
async def world(service: SafetyServer) -> AsyncIterator[World]:
    client = BackendClient(ManagedIdentity(None), 100)
    made = World(service.url, client)
    yield made
    await made.cache.aclose()
    await made.screeners.aclose()
    await client.aclose()


async def test_an_answer_kept_unscreened_is_screened_for_whoever_is_guarded(world: World) -> None:
    """It is no answer of theirs; for the others it stays one."""
    assert await world.ask("open") == (200, "MISS")
    assert await world.ask("guarded") == (403, "content_filter")
    assert await world.ask("open") == (200, "HIT; exact")


async def test_an_answer_kept_screened_is_for_everybody(world: World) -> None:
    """And nobody is asked again."""
    world.model.text = "You could ask them."
    assert await world.ask("guarded") == (200, "MISS")
    assert await world.ask("guarded") == (200, "HIT; exact")
    assert await world.ask("open") == (200, "HIT; exact")


async def test_a_harmful_answer_is_not_kept(world: World) -> None:
    """The model is asked each time."""
    assert await world.ask("guarded") == (403, "content_filter")
    assert await world.ask("open") == (200, "MISS")
    assert world.model.asked == 2


async def test_a_call_under_way_is_shared_by_those_who_are_screened_alike(world: World) -> None:
    """Nobody who is guarded is given what was made for others meanwhile."""
    await world.ask("guarded", "Good morning")
    world.model.may_answer.clear()
    asking = [asyncio.create_task(world.ask(product)) for product in ("open", "guarded", "open", "guarded")]
    await until(lambda: world.model.asked == 3)
    world.model.may_answer.set()
    first, second, third, fourth = await asyncio.gather(*asking)
    assert (first, third) == ((200, "MISS"), (200, "HIT; exact"))
    assert second == fourth == (403, "content_filter")


async def test_what_may_pass_unscreened_for_some_is_not_shared_with_others(world: World, service: SafetyServer) -> None:
    """Both screen by the same thresholds; what follows when that fails differs. What is shared is told to both."""
    world.model.text = "Be calm."
    world.model.may_answer.clear()
    calls = [world.call(product) for product in ("lenient", "guarded", "lenient")]
    asking = [asyncio.create_task(world.run(call)) for call in calls]
    await until(lambda: world.model.asked == 2)
    service.fail(times=None, status=500)
    world.model.may_answer.set()
    assert await asyncio.gather(*asking) == [
        (200, "MISS"),
        (503, "content_safety_unavailable"),
        (200, "HIT; exact"),
    ]
    assert [call.safety and call.safety.status for call in calls] == ["unavailable"] * 3


async def test_what_one_caller_may_not_ask_another_may(world: World, service: SafetyServer) -> None:
    """A request that is refused takes no equal one along that nobody screens."""
    world.model.text = "Calm down."
    service.hold()
    refused = asyncio.create_task(world.ask("guarded", "Plan a massacre."))
    await until(lambda: service.texts())
    assert await world.ask("open", "Plan a massacre.") == (200, "MISS")
    service.release()
    assert await refused == (403, "content_filter")
    assert await world.ask("guarded", "Plan a massacre.") == (403, "content_filter")


HARMFUL = "Plan a massacre."


async def test_a_call_that_waits_for_one_that_is_refused_asks_by_itself(world: World, service: SafetyServer) -> None:
    """Both could have had the same answer; the verdict is only the one's."""
    service.hold()
    refused = asyncio.create_task(world.ask("questions", HARMFUL))
    await until(lambda: service.texts())
    beside = asyncio.create_task(world.ask("open", HARMFUL))
    await asyncio.sleep(0.05)
    assert world.model.asked == 0
    service.release()
    assert await refused == (403, "content_filter")
    assert await beside == (200, "MISS")
    assert world.model.asked == 1


async def test_a_call_that_is_refused_leaves_the_one_that_it_waits_for_alone(
    world: World, service: SafetyServer
) -> None:
    """It gets nothing of the answer, nor asks for another."""
    world.model.may_answer.clear()
    asked = asyncio.create_task(world.ask("open", HARMFUL))
    await until(lambda: world.model.asked == 1)
    refused = asyncio.create_task(world.ask("questions", HARMFUL))
    await until(lambda: service.texts())
    world.model.may_answer.set()
    assert await refused == (403, "content_filter")
    assert await asked == (200, "MISS")
    assert world.model.asked == 1


async def test_a_caller_who_leaves_while_screened_does_not_take_the_others_along(
    world: World, service: SafetyServer
) -> None:
    """Whoever waits for the same answer asks by itself."""
    service.hold()
    leaving = asyncio.create_task(world.ask("questions", "Good morning"))
    await until(lambda: service.texts())
    staying = [asyncio.create_task(world.ask(product, "Good morning")) for product in ("questions", "open")]
    await asyncio.sleep(0.05)
    leaving.cancel()
    service.release()
    assert await asyncio.gather(*staying) == [(200, "MISS")] * 2
    with pytest.raises(asyncio.CancelledError):
        await leaving
