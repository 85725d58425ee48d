"""Table Storage goes away: at start, and while serving."""

import asyncio
from collections.abc import Iterator

import httpx2
import pytest
from azure.data.tables.aio import TableServiceClient

from tests.front_door.system import CATALOG, System, wait_until
from tests.front_door.test_bad_input import BODY, CHAT


@pytest.fixture
def own() -> Iterator[System]:
    """A system of this test's own, not yet started."""
    running = System(environment={"GATEWAY_KEY_CACHE_SECONDS": "1", "GATEWAY_CATALOG_POLL_SECONDS": "0.2"})
    yield running
    running.stop()


def chat(system: System, key: str) -> httpx2.Response:
    """One chat call with a client that allows for storage's time-outs."""
    return httpx2.post(system.url + CHAT, json=BODY, headers={"api-key": key}, timeout=60)


def test_while_serving(own: System) -> None:
    """Known keys and APIs go on working; an unknown key gets 503; all is well again when storage returns."""
    own.start()
    assert chat(own, own.keys["team"]).status_code == 200
    own.azurite.stop()
    wait_until(
        lambda: any("the last one goes on serving" in line for line in own.lines) or not chat(own, own.keys["team"])
    )
    for _ in range(20):
        assert chat(own, own.keys["team"]).status_code == 200
    unknown = chat(own, own.keys["everything"])
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (503, "SubscriptionsUnavailable")
    assert unknown.headers["retry-after"]
    assert "AccountKey" not in "\n".join(own.lines)


def test_at_start(own: System) -> None:
    """503 with a clear line in the log until storage comes; then it serves, without a restart."""
    own._host.start()
    own._host.wait_for_line(lambda line: line.startswith('{"url"'), 30)
    refused = chat(own, "gw_any")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "CatalogUnavailable")
    assert httpx2.get(f"{own.url}/gateway/health").status_code == 200
    waiting = httpx2.get(f"{own.url}/gateway/ready")
    assert waiting.json() == {"status": "not ready", "checks": {"catalog": "loading", "storage": "unavailable"}}
    assert (waiting.status_code, waiting.headers["retry-after"]) == (503, "5")
    assert any("the catalog cannot be loaded yet, trying again" in line for line in own.lines)
    own.azurite.start()
    own.apply(CATALOG.format(model_url=own.model.url, closed_port=1))
    wait_until(lambda: httpx2.get(f"{own.url}/gateway/ready").status_code == 200, 30)
    wait_until(lambda: chat(own, own.keys["team"]).status_code == 200)


def test_a_document_broken_by_hand(own: System) -> None:
    """The API whose document was broken keeps serving its last good version, and so do the others."""
    own.start()
    assert chat(own, own.keys["team"]).status_code == 200

    async def break_it() -> None:
        async with TableServiceClient.from_connection_string(own.azurite.connection_string) as service:
            table = service.get_table_client("gatewaycatalog")
            entities = [entity async for entity in table.list_entities()]
            document = next(
                entity for entity in entities if entity["RowKey"].endswith("openai") and "Api" in entity["RowKey"]
            )
            text = next(name for name, value in document.items() if isinstance(value, str) and value.startswith("{"))
            await table.update_entity(
                {"PartitionKey": document["PartitionKey"], "RowKey": document["RowKey"], text: "{broken"}
            )

    asyncio.run(break_it())
    own.apply("{kind: Product, name: another}")
    wait_until(
        lambda: chat(own, own.keys["team"]).status_code == 200 and any("row Api:openai" in line for line in own.lines)
    )
    assert chat(own, own.keys["team"]).status_code == 200
