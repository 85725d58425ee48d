"""Reading, deleting, exporting, previewing, and what somebody broke by hand, against Azurite."""

from typing import get_args

import pytest

from gateway.catalog.loading import LoadFault, dump_documents, parse_documents
from gateway.catalog.models import Document, Kind, NamedValue
from gateway.errors import CatalogError, StorageUnavailable
from gateway.management.service import DocumentNotFound, StillInUse
from gateway.settings import Settings
from gateway.storage.tables import Delete, Put, TableName, Tables
from local.azurite import ACCOUNT_KEY, Azurite
from tests.management.operator import CATALOG, OLD, SECRET, Operator, refusals


async def test_an_export_applied_to_its_own_catalog_changes_nothing(operator: Operator) -> None:
    """Named values without a value keep the one they have."""
    await operator.apply(CATALOG + "---\n{kind: Gateway, maxRequestBytes: 5}\n")
    text = dump_documents(await operator.service.export())
    result = await operator.apply(text)
    assert (result.created, result.updated) == ((), ())
    assert len(result.unchanged) == 7
    snapshot, _ = await operator.snapshot()
    assert snapshot.named_values["key"] == SECRET


async def test_an_export_creates_the_same_catalog_elsewhere(operator: Operator, tables: Tables) -> None:
    """In an order in which nothing comes before what it refers to; only secrets must be given again."""
    await operator.apply()
    documents = await operator.service.export()
    for name in get_args(TableName):
        await tables.send(name, lambda client: client.delete_table())
    with pytest.raises(CatalogError, match="NamedValue key: value: is required, for none is stored yet"):
        await operator.service.apply(documents)
    for document in documents:
        if isinstance(document, NamedValue):
            await operator.apply("{kind: NamedValue, name: key, value: again}")
        await operator.service.apply([document])
    assert await operator.service.export() == documents


@pytest.mark.parametrize(
    ("kind", "name", "users"),
    [
        ("Product", "starter", ["Api openai", "Subscription team"]),
        ("Backend", "model", ["Api openai"]),
        ("NamedValue", "key", ["Backend model"]),
    ],
)
async def test_what_is_used_is_not_deleted(operator: Operator, kind: Kind, name: str, users: list[str]) -> None:
    """The refusal lists who uses it."""
    await operator.apply()
    with pytest.raises(StillInUse) as caught:
        await operator.service.delete(kind, name)
    assert list(caught.value.users) == users
    assert refusals(caught) == [f"{kind} {name}: is still used by {', '.join(users)}"]
    assert (await operator.service.show(kind, name)).name == name


@pytest.mark.parametrize("kind", ["Product", "Gateway"])
async def test_a_backend_of_embeddings_is_not_deleted(operator: Operator, kind: Kind) -> None:
    """Whoever has the cache uses it; and whoever cannot be read may."""
    name = "gateway" if kind == "Gateway" else "cached"
    await operator.apply(f"""
{{kind: Backend, name: vectors, url: "http://vectors.example/v1"}}
---
{{kind: {kind}, name: {name}, semanticCache: {{embeddings: {{backend: vectors, model: m}}}}}}
""")
    with pytest.raises(StillInUse) as caught:
        await operator.service.delete("Backend", "vectors")
    assert caught.value.users == (f"{kind} {name}",)
    await break_row(operator, f"{kind}:{name}")
    with pytest.raises(CatalogError, match=f"may be used by {kind} {name}, which cannot be read"):
        await operator.service.delete("Backend", "vectors")


async def test_what_is_unused_is_deleted(operator: Operator) -> None:
    """One after the other, from the users to the used; instances see a new revision."""
    await operator.apply()
    for kind, name in (
        ("Subscription", "team"),
        ("Api", "openai"),
        ("Product", "starter"),
        ("Product", "gold"),
        ("Backend", "model"),
        ("NamedValue", "key"),
    ):
        await operator.service.delete(kind, name)
    assert await operator.service.export() == []
    assert await operator.catalog.read_revision() == 6


async def test_what_does_not_exist_is_said_so(operator: Operator) -> None:
    """Whatever is done with it."""
    for call in (
        operator.service.show("Api", "x"),
        operator.service.delete("Api", "x"),
        operator.service.delete("Subscription", "x"),
        operator.service.regenerate_key("x", "primary"),
        operator.service.set_state("x", "active"),
        operator.service.delete("Gateway", "gateway"),
    ):
        with pytest.raises(DocumentNotFound, match=r"(x|gateway): does not exist$"):
            await call


async def test_the_gateways_settings_are_always_there(operator: Operator) -> None:
    """With defaults until they are set, and again after they are deleted."""
    assert (await operator.service.show("Gateway", "gateway")).to_json() == {"kind": "Gateway", "name": "gateway"}
    assert len(await operator.service.list("Gateway")) == 1
    await operator.apply("{kind: Gateway, maxRequestBytes: 5}")
    assert [each.to_json()["maxRequestBytes"] for each in await operator.service.list("Gateway")] == [5]
    await operator.service.delete("Gateway", "gateway")
    assert (await operator.snapshot())[0].gateway.max_request_bytes == 20 * 1024 * 1024


async def break_row(operator: Operator, row: str) -> None:
    """What somebody with the storage explorer might do."""
    await operator.tables.table("gatewaycatalog").put(
        Put({"PartitionKey": "catalog", "RowKey": row, "document00": '{"kind": "oops"'})
    )


async def test_a_document_broken_by_hand_takes_nothing_down(operator: Operator) -> None:
    """A serving instance keeps its last good version, a new one leaves it out, and both say so."""
    await operator.apply()
    before, _ = await operator.snapshot()
    await break_row(operator, "Api:openai")
    assert any(isinstance(each, LoadFault) for each in (await operator.catalog.load())[1])
    kept, faults = await operator.snapshot(before)
    assert faults == ["row Api:openai: the stored document is not JSON (JSONDecodeError)"]
    assert kept.apis["openai"] == before.apis["openai"]
    assert dict((await operator.snapshot())[0].apis) == {}


async def test_a_document_broken_by_hand_can_be_mended_or_deleted(operator: Operator) -> None:
    """Applying others goes on meanwhile; an export, which would be incomplete, is refused."""
    await operator.apply()
    await break_row(operator, "Backend:model")
    for call in (operator.service.export(), operator.service.show("Backend", "model")):
        with pytest.raises(CatalogError, match="row Backend:model: the stored document is not JSON"):
            await call
    assert await operator.service.list("Backend") == []
    assert (await operator.apply("{kind: Product, name: other}")).created == ("Product other",)
    with pytest.raises(StillInUse):
        await operator.service.delete("Backend", "model")
    result = await operator.apply()
    assert result.updated == ("Backend model",)
    await break_row(operator, "Api:openai")
    await operator.service.delete("Api", "openai")
    assert await operator.service.list("Api") == []


async def test_a_row_removed_by_hand_is_a_fault_that_names_its_users(operator: Operator) -> None:
    """The next who applies anything hears of it."""
    await operator.apply()
    await operator.tables.table("gatewaycatalog").transact([Delete("catalog", "Backend:model")])
    with pytest.raises(CatalogError, match="Api openai: backend: Backend model does not exist"):
        await operator.apply("{kind: Product, name: other}")


async def test_a_preview_is_what_would_be_served(operator: Operator) -> None:
    """With secrets resolved, nothing written, and faults of this machine's app settings too."""
    await operator.apply("{kind: NamedValue, name: key, value: sk-1}")
    before = await operator.everything_stored()
    credentials = "{{header: a, value: '{}'}}"
    api = "{{kind: Api, name: {0}, path: {0}, type: openai, backend: {{url: 'http://x', credentials: {1}}}}}"
    documents: list[Document] = parse_documents(
        "{kind: NamedValue, name: other, value: sk-2}\n---\n"
        + api.format("good", credentials.format("{{key}}-{{other}}-{{env:TOKEN}}"))
        + "\n---\n"
        + api.format("bad", credentials.format("{{env:MISSING}}")),
        "x",
    )
    snapshot, faults = await operator.service.preview(documents)
    assert snapshot.apis["good"].backend.credential_value == "sk-1-sk-2-t-1"
    assert [str(fault) for fault in faults] == [
        "Api bad: backend.credentials.value: the app setting MISSING is not set"
    ]
    assert await operator.everything_stored() == before


async def test_while_storage_is_away_every_call_says_so() -> None:
    """In the words of storage, without the account's key."""
    azurite = Azurite()
    azurite.start()
    azurite.stop()
    tables = Tables(Settings(tables=azurite.connection_string))
    service = Operator(tables, OLD).service
    for call in (
        service.check([]),
        service.export(),
        service.delete("Subscription", "x"),
        service.regenerate_key("x", "primary"),
    ):
        with pytest.raises(StorageUnavailable, match="cannot be reached") as caught:
            await call
        assert ACCOUNT_KEY not in str(caught.value)
    await tables.aclose()
