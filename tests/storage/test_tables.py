"""Table Storage, against Azurite."""

import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import StorageUnavailable
from gateway.settings import Settings
from gateway.storage.connection import DEVELOPMENT_ACCOUNT
from gateway.storage.limits import EntityTooLarge, encode_key
from gateway.storage.tables import (
    Conflict,
    Delete,
    NotFound,
    PreconditionFailed,
    Put,
    Tables,
)
from local.azurite import ACCOUNT_KEY, Azurite

NAME = "gatewaycatalog"


def entity(row: str = "r", **columns: object) -> dict[str, object]:
    """An entity in the partition `p`."""
    return {"PartitionKey": "p", "RowKey": row, **columns}


async def test_reading_a_table_that_does_not_exist_finds_nothing(tables: Tables) -> None:
    """A new installation needs no set-up."""
    table = tables.table(NAME)
    with pytest.raises(NotFound):
        await table.get("p", "r")
    assert await table.rows("p") == []
    await table.delete("p", "r")


async def test_writing_makes_the_table(tables: Tables) -> None:
    """And what was written can be read, in the order of the row keys."""
    table = tables.table(NAME)
    await table.put(Put(entity("b", number=1, text="é😀\n\r\n--batch\r\n")))
    await table.put(Put(entity("a")))
    assert [dict(row.values) for row in await table.rows("p")] == [
        entity("a"),
        entity("b", number=1, text="é😀\n\r\n--batch\r\n"),
    ]


async def test_a_put_replaces_the_whole_entity(tables: Tables) -> None:
    """No column of the old one stays behind."""
    table = tables.table(NAME)
    await table.put(Put(entity(one=1)))
    await table.put(Put(entity(two=2)))
    assert dict((await table.get("p", "r")).values) == entity(two=2)


async def test_what_is_new_must_be_new(tables: Tables) -> None:
    """Two that create the same: one is told."""
    table = tables.table(NAME)
    await table.put(Put(entity(), new=True))
    with pytest.raises(Conflict):
        await table.put(Put(entity(), new=True))


async def test_a_stale_etag_is_refused(tables: Tables) -> None:
    """Nothing is overwritten that was not seen."""
    table = tables.table(NAME)
    await table.put(Put(entity(number=1)))
    seen = await table.get("p", "r")
    await table.put(Put(entity(number=2), etag=seen.etag))
    with pytest.raises(PreconditionFailed):
        await table.put(Put(entity(number=3), etag=seen.etag))
    assert (await table.get("p", "r")).values["number"] == 2


async def test_a_transaction_is_all_or_nothing(tables: Tables) -> None:
    """One change that cannot be made takes the others with it."""
    table = tables.table(NAME)
    await table.put(Put(entity("a", number=1)))
    with pytest.raises(NotFound):
        await table.transact([Put(entity("a", number=2)), Put(entity("b")), Delete("p", "missing")])
    assert [dict(row.values) for row in await table.rows("p")] == [entity("a", number=1)]


async def test_more_rows_than_a_page_are_all_read(tables: Tables) -> None:
    """The service answers with at most 1,000 at a time."""
    table = tables.table(NAME)
    for start in range(0, 1_100, 100):
        await table.transact([Put(entity(f"{start + number:05}")) for number in range(100)])
    assert len(await table.rows("p")) == 1_100


async def test_what_is_too_large_is_never_sent(tables: Tables) -> None:
    """Azurite would take it."""
    before = tables.operations
    with pytest.raises(EntityTooLarge):
        await tables.table(NAME).put(Put(entity(text="x" * 40_000)))
    assert tables.operations == before


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=60))
def test_encoded_keys_survive_the_service(azurite: str, text: str) -> None:
    """Through URL, OData and JSON and back: reading, listing and deleting in a transaction."""

    async def round_trip() -> None:
        tables = Tables(Settings(tables=azurite))
        table = tables.table("gatewaykeys")
        key = encode_key(text)
        await table.put(Put({"PartitionKey": key, "RowKey": key}))
        assert (await table.get(key, key)).values["RowKey"] == key
        assert len(await table.rows(key)) == 1
        await table.transact([Delete(key, key)])
        assert await table.rows(key) == []
        await tables.aclose()

    asyncio.run(round_trip())


async def test_each_call_is_counted(tables: Tables) -> None:
    """So that a test can prove that there was none."""
    table = tables.table(NAME)
    before = tables.operations
    await table.rows("p")
    assert tables.operations == before + 1


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def location(port: int) -> str:
    """A connection string for a port of this machine."""
    return DEVELOPMENT_ACCOUNT.replace(":10002", f":{port}")


async def test_a_stopped_service_is_unavailable_within_seconds_and_back_when_it_is() -> None:
    """The message has the address and no key; reads, lists and writes alike."""
    azurite = Azurite()
    azurite.start()
    tables = Tables(Settings(tables=azurite.connection_string))
    table = tables.table(NAME)
    await table.put(Put(entity()))
    azurite.stop()
    started = time.monotonic()
    for call in (table.get("p", "r"), table.rows("p"), table.put(Put(entity()))):
        with pytest.raises(
            StorageUnavailable, match=rf"^Table Storage at 127\.0\.0\.1:{azurite.port} cannot"
        ) as caught:
            await call
        assert ACCOUNT_KEY not in str(caught.value)
    assert time.monotonic() - started < 6
    with azurite:
        await table.put(Put(entity()))
        assert len(await table.rows("p")) == 1
    await tables.aclose()


async def test_a_service_that_hangs_is_given_up(silent_port: int) -> None:
    """However many retries would be left."""
    tables = Tables(Settings(tables=location(silent_port)), call_seconds=0.3)
    with pytest.raises(StorageUnavailable, match="did not answer in time"):
        await tables.table(NAME).get("p", "r")
    await tables.aclose()


# azure-data-tables asks an XML element for its truth value when it reads this answer.
@pytest.mark.filterwarnings("ignore:Testing an element's truth value:DeprecationWarning")
async def test_a_wrong_account_key_is_refused_with_the_remedy(azurite: str) -> None:
    """And without the key in the message."""
    wrong = ACCOUNT_KEY.replace("Eby8", "Abcd")
    tables = Tables(Settings(tables=azurite.replace(ACCOUNT_KEY, wrong)))
    table = tables.table(NAME)
    for call in (table.get("p", "r"), table.rows("p"), table.put(Put(entity()))):
        with pytest.raises(StorageUnavailable, match=r"refuses the gateway \(403 \w+\); check the key") as caught:
            await call
        assert "Abcd" not in str(caught.value)
    await tables.aclose()


@pytest.mark.parametrize(
    "text", ["nonsense", "AccountName=x", "http://account.example", "AccountKey=c2VjcmV0;AccountName", "https://"]
)
async def test_a_setting_that_makes_no_sense_is_said_so(text: str) -> None:
    """Without repeating it: it may hold a key."""
    tables = Tables(Settings(tables=text))
    with pytest.raises(
        StorageUnavailable, match=r"^GATEWAY_TABLES is a connection string that cannot be read"
    ) as caught:
        await tables.table(NAME).get("p", "r")
    assert text not in str(caught.value)
    assert caught.value.__cause__ is None
    await tables.aclose()


@pytest.mark.parametrize("text", ["UseDevelopmentStorage=true", "usedevelopmentstorage=TRUE;"])
async def test_development_storage_is_the_local_emulator(text: str) -> None:
    """As in every other tool."""
    tables = Tables(Settings(tables=text))
    client = await tables.client(NAME)
    assert client.url == "http://127.0.0.1:10002/devstoreaccount1"
    await tables.aclose()


@pytest.fixture
def identity_without_tokens(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The platform's identity endpoint, for an app that has no identity. What it was asked is in the list."""
    asked: list[str] = []

    class Refuse(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(400)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    with HTTPServer(("127.0.0.1", 0), Refuse) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{server.server_port}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "x")
        yield asked
        server.shutdown()
        thread.join()


async def test_an_account_url_is_used_with_the_managed_identity(identity_without_tokens: list[str]) -> None:
    """A token for storage is asked for; where there is none, the message says so and does not blame the tables."""
    tables = Tables(Settings(tables="https://account.example", azure_client_id="client-1"))
    with pytest.raises(StorageUnavailable, match=r"^the managed identity gave no token for Table Storage"):
        await tables.table(NAME).get("p", "r")
    await tables.aclose()
    assert "resource=https://storage.azure.com" in identity_without_tokens[0]
    assert "client_id=client-1" in identity_without_tokens[0]


def test_importing_costs_nothing() -> None:
    """No module of Azure's is imported before the first call."""
    code = (
        "import sys, gateway.storage.catalog, gateway.storage.subscriptions\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('azure', 'aiohttp', 'yaml', 'cryptography')])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
