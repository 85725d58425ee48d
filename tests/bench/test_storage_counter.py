"""The counting proxy in front of Table Storage."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.storage_counter import StorageCounter, kind_of
from gateway.settings import Settings
from gateway.storage.tables import Tables
from local.azurite import ACCOUNT

ROW = f"/{ACCOUNT}/gatewaycatalog(PartitionKey='catalog',RowKey='revision')"
KINDS = {
    "one row of the catalog": ("GET", ROW, "GET gatewaycatalog revision"),
    "an encoded row": ("GET", ROW.replace("'", "%27"), "GET gatewaycatalog revision"),
    "a key": ("GET", f"/{ACCOUNT}/gatewaykeys(PartitionKey='a',RowKey='5f')?x=1", "GET gatewaykeys one row"),
    "a query": ("GET", f"/{ACCOUNT}/gatewaycatalog()?$filter=x", "GET gatewaycatalog rows"),
    "a new row": ("POST", f"/{ACCOUNT}/gatewaykeys", "POST gatewaykeys"),
    "a transaction": ("POST", f"/{ACCOUNT}/$batch", "POST $batch"),
}


@pytest.mark.parametrize("case", KINDS)
def test_kind(case: str) -> None:
    """Method, table, and whether it is about one row."""
    method, url, expected = KINDS[case]
    assert kind_of(method, url) == expected


@pytest.fixture
def counter(azurite: str) -> Iterator[StorageCounter]:
    """A counter in front of the tests' Azurite."""
    running = StorageCounter(int(azurite.rpartition(":")[2].partition("/")[0]))
    running.start()
    yield running
    running.stop()


async def test_requests_pass_and_are_counted(azurite: str, counter: StorageCounter, tables: Tables) -> None:
    """The storage client works through it, and each of its requests is counted once, until the next reset."""
    port = azurite.rpartition(":")[2].partition("/")[0]
    through = Tables(Settings(tables=azurite.replace(f":{port}/", f":{counter.port}/")))
    try:
        await through.send("gatewaykeys", lambda client: client.create_table())
        await through.send("gatewaykeys", lambda client: client.upsert_entity({"PartitionKey": "a", "RowKey": "b"}))
        row = await through.send("gatewaykeys", lambda client: client.get_entity("a", "b"))
    finally:
        await through.aclose()
    assert row["RowKey"] == "b"
    assert counter.counts() == {"POST Tables": 1, "PATCH gatewaykeys one row": 1, "GET gatewaykeys one row": 1}
    counter.reset()
    assert counter.counts() == {}
