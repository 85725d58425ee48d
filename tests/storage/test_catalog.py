"""The catalog's table, against Azurite."""

import asyncio
from bisect import bisect_left
from typing import Any

import pytest

from gateway.catalog.loading import LoadFault, from_json, parse_documents
from gateway.catalog.models import Document, StoredNamedValue
from gateway.storage.catalog import CatalogConflict, CatalogStore, row_key, to_entity
from gateway.storage.limits import EntityTooLarge
from gateway.storage.tables import Put, Tables

NAME = "gatewaycatalog"


def product(name: str, **fields: Any) -> Document:
    """A product."""
    return from_json({"kind": "Product", "name": name, **fields})


@pytest.fixture
def store(tables: Tables) -> CatalogStore:
    """An empty catalog."""
    return CatalogStore(tables)


async def documents_of(store: CatalogStore) -> dict[str, Document | LoadFault]:
    """What is stored, by name."""
    return {each.name: each for each in (await store.load())[1]}


async def test_an_empty_table_is_revision_0(store: CatalogStore) -> None:
    """A new installation needs no set-up."""
    assert await store.read_revision() == 0
    assert await store.load() == (0, [])


async def test_what_is_saved_is_loaded(store: CatalogStore) -> None:
    """Every kind, with its fields as they were written, and the revision counted up."""
    text = """
{kind: Gateway, timeouts: {connect: 3}}
---
{kind: Product, name: p, terms: "één\\n😀"}
---
{kind: Backend, name: b, url: "http://x"}
---
{kind: Api, name: a, path: "", type: openai, backend: b, products: [p]}
---
{kind: NamedValue, name: n, value: "{{env:N}}"}
"""
    documents = parse_documents(text, "x")
    assert await store.save(documents, [], 0) == 1
    revision, loaded = await store.load()
    assert revision == 1 == await store.read_revision()
    assert {each.name: each.to_json() for each in loaded if not isinstance(each, LoadFault)} == {
        each.name: each.to_json() for each in documents
    }


async def test_saving_replaces_and_deletes(store: CatalogStore) -> None:
    """A shorter document leaves nothing of the longer one behind."""
    await store.save([product("a", description="x" * 100_000), product("b")], [], 0)
    assert await store.save([product("a", description="short")], [("Product", "b")], 1) == 2
    documents = await documents_of(store)
    assert documents == {"a": product("a", description="short")}


async def test_a_document_of_more_than_64_kilobytes_is_kept_whole(store: CatalogStore) -> None:
    """Beyond what one property holds."""
    large = product("large", description="é😀x\n" * 20_000)
    await store.save([large], [], 0)
    assert (await documents_of(store))["large"] == large


async def test_a_document_that_no_row_can_hold_is_refused(store: CatalogStore) -> None:
    """Before anything is written."""
    with pytest.raises(EntityTooLarge):
        await store.save([product("small"), product("huge", description="x" * 600_000)], [], 0)
    assert await store.load() == (0, [])


# aiohttp's advice for bodies of more than 1 MiB; this one is a little more, and as large as they get.
@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
@pytest.mark.parametrize("character", ["x", "é", "€", "😀"])
async def test_the_largest_document_that_passes_is_taken(store: CatalogStore, character: str) -> None:
    """Whatever its letters; one that is half as large again is refused in figures, before it is sent."""

    def fits(length: int) -> bool:
        try:
            to_entity(product("p", description=character * length))
        except EntityTooLarge:
            return False
        return True

    length = bisect_left(range(600_000), True, key=lambda each: not fits(each)) - 1
    assert await store.save([product("p", description=character * length)], [], 0) == 1
    with pytest.raises(EntityTooLarge, match=r"an entity has \d+ bytes; 1048576 are allowed"):
        await store.save([product("p", description=character * (length * 3 // 2))], [], 1)


async def test_several_large_documents_fit_in_one_save(store: CatalogStore, tables: Tables) -> None:
    """A transaction holds 4 MiB at most; more are made as needed."""
    many = [product(f"p{number}", description="é" * 90_000) for number in range(12)]
    assert await store.save(many, [], 0) == 1
    assert len(await documents_of(store)) == 12


async def test_more_than_99_documents_are_one_revision(store: CatalogStore) -> None:
    """A transaction holds 100 rows; the revision changes with the last one."""
    many = [product(f"p{number}") for number in range(250)]
    assert await store.save(many, [], 0) == 1
    assert await store.save([], [("Product", f"p{number}") for number in range(1, 250)], 1) == 2
    assert list(await documents_of(store)) == ["p0"]


async def test_saving_nothing_counts_the_revision_up(store: CatalogStore) -> None:
    """For those who want every instance to load again."""
    assert await store.save([], [], 0) == 1
    assert await store.read_revision() == 1


async def test_of_two_who_write_at_once_one_is_told(store: CatalogStore) -> None:
    """At the beginning, when the table is not there yet, and later."""
    for revision in (0, 1):
        results = await asyncio.gather(
            *[store.save([product(f"r{revision}-{number}")], [], revision) for number in range(4)],
            return_exceptions=True,
        )
        assert sorted(str(type(each).__name__) for each in results) == ["CatalogConflict"] * 3 + ["int"]
        assert await store.read_revision() == revision + 1
    assert len(await documents_of(store)) == 2


async def test_nobody_writes_between_the_transactions_of_one_save(store: CatalogStore) -> None:
    """Of two saves of several transactions each, one wins whole."""
    saves = [store.save([product(f"p{number}", description=writer) for number in range(150)], [], 0) for writer in "ab"]
    results = await asyncio.gather(*saves, return_exceptions=True)
    winner = "ab"[[isinstance(each, int) for each in results].index(True)]
    assert [type(each) for each in results].count(CatalogConflict) == 1
    written = {each.to_json()["description"] for each in (await documents_of(store)).values()}
    assert written == {winner}


async def test_a_save_for_another_revision_is_refused(store: CatalogStore) -> None:
    """Whoever validated against an older catalog validates again."""
    await store.save([product("a")], [], 0)
    for revision in (0, 2):
        with pytest.raises(CatalogConflict, match="changed by someone else"):
            await store.save([product("b")], [], revision)
    assert list(await documents_of(store)) == ["a"]


async def test_deleting_what_is_gone_is_a_conflict(store: CatalogStore) -> None:
    """Somebody removed the row by hand since it was read."""
    with pytest.raises(CatalogConflict):
        await store.save([], [("Product", "gone")], 0)


@pytest.mark.parametrize(
    ("row", "columns", "kind", "name", "fault"),
    [
        ("Product:a", {"document00": "{"}, "Product", "a", "row Product:a: the stored document is not JSON"),
        ("Product:a", {}, "Product", "a", "row Product:a: the stored document is not JSON"),
        ("Product:a", {"document00": "[" * 30_000}, "Product", "a", "row Product:a: the stored document is not JSON"),
        ("Product:a", {"document00": "7"}, "Product", "a", "row Product:a: a document must be a mapping"),
        (
            "Product:a",
            {"document00": '{"kind":"Product","name":"b"}'},
            "Product",
            "a",
            "row Product:a: holds Product b",
        ),
        (
            "Product:a",
            {"document00": '{"kind":"Product","name":"a","state":"x","foo":1}'},
            "Product",
            "a",
            'row Product:a: Product a: state: must be "notPublished" or "published"',
        ),
        (
            "NamedValue:n",
            {"document00": '{"kind":"NamedValue","name":"n","value":"sk-plain"}'},
            "NamedValue",
            "n",
            "row NamedValue:n: NamedValue n: a secret must be stored encrypted",
        ),
        (
            "Product:a",
            {"document00": '{"kind":"Product"}'},
            "Product",
            "a",
            "row Product:a: Product: name: is required",
        ),
        (
            "NamedValue:n",
            {"document00": '{"kind":"NamedValue"}'},
            "NamedValue",
            "n",
            "row NamedValue:n: NamedValue: name",
        ),
        ("Thing:a", {"document00": '{"kind":"Product","name":"a"}'}, None, "Thing:a", "row Thing:a: holds Product a"),
        ("Product:", {"document00": "{}"}, None, "Product:", "row Product:: kind is required"),
    ],
)
async def test_a_row_broken_by_hand_is_one_fault_and_no_more(
    store: CatalogStore, tables: Tables, row: str, columns: dict[str, str], kind: str | None, name: str, fault: str
) -> None:
    """The other documents load; the fault says which one it is, without secrets."""
    await store.save([product("good")], [], 0)
    await tables.table(NAME).put(Put({"PartitionKey": "catalog", "RowKey": row, **columns}))
    revision, loaded = await store.load()
    assert revision == 1
    assert product("good") in loaded
    faults = [each for each in loaded if isinstance(each, LoadFault)]
    assert [(each.kind, each.name) for each in faults] == [(kind, name)]
    assert str(faults[0].faults[0]).startswith(fault)
    assert "sk-plain" not in str(faults)


@pytest.mark.parametrize("revision", ["x", True, None])
async def test_a_revision_broken_by_hand_is_mended_by_the_next_change(
    store: CatalogStore, tables: Tables, revision: object
) -> None:
    """It counts as 0 until then."""
    await store.save([product("a")], [], 0)
    columns = {} if revision is None else {"revision": revision}
    await tables.table(NAME).put(Put({"PartitionKey": "catalog", "RowKey": "revision", **columns}))
    assert await store.read_revision() == 0
    assert await store.save([product("b")], [], 0) == 1
    assert await store.read_revision() == 1


async def test_a_secret_that_was_not_sealed_is_never_stored(store: CatalogStore) -> None:
    """Whoever forgets to seal it hears of it."""
    with pytest.raises(ValueError, match="must be sealed"):
        await store.save([from_json({"kind": "NamedValue", "name": "n", "value": "sk-1"})], [], 0)
    assert await store.load() == (0, [])


async def test_a_sealed_secret_is_loaded_sealed(store: CatalogStore) -> None:
    """Only a snapshot has it in plain text."""
    sealed = StoredNamedValue.model_validate({"name": "n", "encryptedValue": "gAAAA"})
    await store.save([sealed], [], 0)
    assert (await documents_of(store))["n"] == sealed


def test_rows_are_called_by_kind_and_name() -> None:
    """So that people find them."""
    assert row_key("Api", "openai") == "Api:openai"
