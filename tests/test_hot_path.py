"""What a call whose key and API are known costs: no storage call, counted, and no memory when it is over."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.requests import Request

from gateway.app import Gateway
from gateway.call import Call
from gateway.catalog.loading import parse_documents
from gateway.catalog.secrets import SecretBox
from gateway.management.service import CatalogService
from gateway.settings import Settings
from gateway.storage.catalog import CatalogStore
from gateway.storage.subscriptions import SubscriptionStore
from local.azurite import Azurite
from local.model import ModelServer
from tests.objects import Since

CALLS = 500


def catalog(model_url: str) -> str:
    return f"""
{{kind: Product, name: starter, state: published}}
---
{{kind: Api, name: openai, path: openai, type: openai, backend: {{url: "{model_url}"}}, products: [starter]}}
---
{{kind: Subscription, name: team, scope: /products/starter}}
"""


async def call(gateway: Gateway, key: str, *, stream: bool = False, **faults: str) -> int:
    """One chat call through Gateway.handle, as the functions make it."""
    document = {"model": "stand-in", "stream": stream, "messages": [{"role": "user", "content": "Hello"}]}
    body = json.dumps(document).encode()
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/openai/chat/completions",
        "raw_path": b"/openai/chat/completions",
        "query_string": b"",
        "headers": [
            (b"api-key", key.encode()),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *((f"x-stand-in-{name}".encode(), text.encode()) for name, text in faults.items()),
        ],
    }
    sent: list[Any] = []

    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Any:
        # The body once, and then no disconnect for as long as the call takes.
        return next(messages, None) or await asyncio.Future()

    async def send(message: Any) -> None:
        sent.append(message)

    response = await gateway.handle(Request(scope, receive))
    await response(scope, receive, send)
    return int(sent[0]["status"])


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Gateway, str]]:
    """A gateway before the stand-in model, and a key for it."""
    with Azurite() as azurite, ModelServer() as model:
        environment = {"GATEWAY_TABLES": azurite.connection_string, "GATEWAY_CATALOG_POLL_SECONDS": "3600"}
        gateway = Gateway(Settings.from_environment(environment), environment)
        service = CatalogService(
            CatalogStore(gateway.tables), SubscriptionStore(gateway.tables), SecretBox(()), environment
        )
        applied = await service.apply(parse_documents(catalog(model.url), "test"))
        key = applied.keys["team"].primary
        async with gateway.lifespan():
            yield gateway, key


async def test_no_storage_call_on_the_hot_path() -> None:
    """After the first call, five hundred more leave the count of storage operations where it was."""
    async with serving() as (gateway, key):
        assert await call(gateway, key) == 200
        before = gateway.tables.operations
        assert before > 0
        statuses = await asyncio.gather(*[call(gateway, key) for _ in range(CALLS)])
        assert set(statuses) == {200}
        assert gateway.tables.operations == before
        assert await call(gateway, "gw_wrong") == 401
        assert gateway.tables.operations == before


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_call_that_took_its_time_is_freed_without_the_collector(stream: bool) -> None:
    """No circle of objects holds it: with a large body, memory would grow until the collector's next full round."""
    async with serving() as (gateway, key):
        assert await call(gateway, key) == 200
        made = Since(Call)
        gc.disable()
        try:
            assert await call(gateway, key, stream=stream, delay="0.4") == 200
            # What was cancelled hears of it in the loop's next turns.
            await asyncio.sleep(0.01)
            assert made.left == []
        finally:
            gc.enable()
