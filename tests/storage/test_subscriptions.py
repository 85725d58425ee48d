"""Subscriptions and their keys, against Azurite."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.catalog.keys import digest
from gateway.catalog.loading import LoadFault
from gateway.errors import CatalogError, StorageUnavailable
from gateway.settings import Settings
from gateway.storage.subscriptions import BUILT_IN, SubscriptionRecord, SubscriptionStore
from gateway.storage.tables import Conflict, NotFound, Put, Tables

ONE, TWO, THREE = (digest(text) for text in ("one", "two", "three"))
RECORD = SubscriptionRecord(
    name="team",
    display_name="Team é",
    scope_kind="product",
    scope_name="starter",
    state="suspended",
    start=datetime(2026, 1, 1, tzinfo=UTC),
    expiration=datetime(2027, 1, 1, 12, 30, 0, 5, tzinfo=UTC),
    primary_digest=ONE,
    secondary_digest=TWO,
)


@pytest.fixture
def store(tables: Tables) -> SubscriptionStore:
    """No subscriptions but the built-in one."""
    return SubscriptionStore(tables)


async def columns_of(tables: Tables, name: str) -> dict[str, Any]:
    """A stored record's row."""
    return dict((await tables.table("gatewaysubscriptions").get("subscription", name)).values)


async def keys_of(tables: Tables, name: str) -> set[str]:
    """The digests in the index that lead to a subscription."""
    return set(await tables.table("gatewaykeys").row_keys(subscription=name))


async def test_a_record_is_stored_whole(store: SubscriptionStore) -> None:
    """And found by name and by the digest of either key."""
    await store.create(RECORD)
    assert await store.get("team") == RECORD
    assert await store.find(ONE) == (RECORD, "primary")
    assert await store.find(TWO) == (RECORD, "secondary")
    assert await store.find(THREE) is None
    assert await store.get("other") is None
    assert [each.name for each in await store.list()] == ["master", "team"]


async def test_a_name_is_created_once(store: SubscriptionStore, tables: Tables) -> None:
    """The second one's keys are nobody's, and leave no row of the index behind."""
    await store.create(RECORD)
    with pytest.raises(Conflict):
        await store.create(replace(RECORD, primary_digest=THREE, secondary_digest=""))
    assert await store.find(THREE) is None
    assert await store.find(ONE) == (RECORD, "primary")
    assert await keys_of(tables, "team") == {ONE, TWO}


@pytest.mark.parametrize("slot", ["primary", "secondary"])
async def test_another_key_kills_the_old_one_in_its_slot_only(
    store: SubscriptionStore, tables: Tables, slot: Any
) -> None:
    """The index has no row for the old key any more."""
    await store.create(RECORD)
    old, other = (ONE, TWO) if slot == "primary" else (TWO, ONE)
    await store.set_key("team", slot, THREE)
    found = await store.find(THREE)
    assert found is not None
    assert found[1] == slot
    assert await store.find(old) is None
    assert await store.find(other) is not None
    assert await keys_of(tables, "team") == {other, THREE}
    await store.set_key("team", slot, THREE)
    assert await store.find(THREE) is not None, "as when the answer to a write is lost, and it is tried again"


async def test_an_old_key_is_dead_even_if_its_index_row_stays(store: SubscriptionStore, tables: Tables) -> None:
    """The record is the authority: as when the process dies before the row is deleted."""
    await store.create(RECORD)
    await store.set_key("team", "primary", THREE)
    await tables.table("gatewaykeys").put(Put({"PartitionKey": ONE[:2], "RowKey": ONE, "subscription": "team"}))
    assert await store.find(ONE) is None


async def test_changes_at_the_same_time_lose_nothing(store: SubscriptionStore) -> None:
    """A suspension while a key is regenerated: both count."""
    await store.create(replace(RECORD, state="active"))
    await asyncio.gather(
        store.set_key("team", "primary", THREE),
        store.change("team", lambda record: replace(record, state="suspended")),
        store.change("team", lambda record: replace(record, display_name="Renamed")),
    )
    record = await store.get("team")
    assert record is not None
    assert (record.state, record.display_name, record.primary_digest) == ("suspended", "Renamed", THREE)
    assert record.secondary_digest == TWO


async def test_what_does_not_exist_cannot_be_changed(store: SubscriptionStore, tables: Tables) -> None:
    """And leaves no row of an index behind."""
    assert await store.set_key("nobody", "primary", ONE) is None
    assert await store.change("nobody", lambda record: record) is None
    assert await store.delete("nobody") is False
    with pytest.raises(NotFound):
        await tables.table("gatewaykeys").get(ONE[:2], ONE)


async def test_a_deleted_subscription_takes_its_keys_along(store: SubscriptionStore) -> None:
    """They stay dead when the name is used again."""
    await store.create(RECORD)
    assert await store.delete("team") is True
    assert await store.get("team") is None
    await store.create(replace(RECORD, primary_digest=THREE, secondary_digest=""))
    assert await store.find(ONE) is None
    assert await store.find(TWO) is None


async def test_the_built_in_subscription_is_always_there(store: SubscriptionStore) -> None:
    """Active, for all APIs, without keys."""
    assert await store.get("master") == BUILT_IN
    assert await store.list() == [BUILT_IN]
    assert (BUILT_IN.scope_kind, BUILT_IN.state, BUILT_IN.primary_digest) == ("all", "active", "")
    with pytest.raises(CatalogError, match="is built in and cannot be deleted; suspend it instead"):
        await store.delete("master")


async def test_the_built_in_subscription_can_get_keys_and_be_suspended(store: SubscriptionStore) -> None:
    """From then on it is stored like any other."""
    await store.set_key("master", "secondary", ONE)
    await store.change("master", lambda record: replace(record, state="suspended"))
    found = await store.find(ONE)
    assert found is not None
    assert (found[0].name, found[0].state, found[1]) == ("master", "suspended", "secondary")
    assert [each.state for each in await store.list() if isinstance(each, SubscriptionRecord)] == ["suspended"]


async def test_an_empty_digest_is_nobodys(store: SubscriptionStore) -> None:
    """The built-in subscription has empty ones at first."""
    await store.create(SubscriptionRecord("keyless"))
    assert BUILT_IN.slot_of(ONE) is None
    assert await store.find("") is None


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("state", "on", "its stored state is 'on'"),
        ("state", None, "its stored state is None"),
        ("scopeKind", "everything", "its stored scopeKind is 'everything'"),
        ("scopeName", None, "its stored scopeName is missing"),
        ("expirationDate", "soon", "its stored expirationDate must be a date"),
        ("startDate", 7, "its stored startDate must be a date"),
        ("secondaryDigest", "sk-1", "its stored secondaryDigest is no SHA-256 in hex"),
        ("primaryDigest", 7, "its stored primaryDigest is no SHA-256 in hex"),
    ],
)
async def test_a_record_broken_by_hand_admits_nobody(
    store: SubscriptionStore, tables: Tables, column: str, value: Any, problem: str
) -> None:
    """A guess might let someone in. The others go on, and it can still be deleted, its keys with it."""
    await store.create(replace(RECORD, state="active"))
    columns = await columns_of(tables, "team")
    columns.pop(column, None)
    if value is not None:
        columns[column] = value
    await tables.table("gatewaysubscriptions").put(Put(columns))
    assert await store.find(ONE) is None
    built_in, broken = await store.list()
    assert built_in == BUILT_IN
    assert isinstance(broken, LoadFault)
    assert (broken.kind, broken.name) == ("Subscription", "team")
    assert problem in str(broken.faults[0])
    for refused in (store.get("team"), store.set_key("team", "primary", THREE)):
        with pytest.raises(CatalogError, match=problem) as caught:
            await refused
        assert "sk-1" not in str(caught.value)
    assert await keys_of(tables, "team") == {ONE, TWO}
    assert await store.delete("team") is True
    assert await keys_of(tables, "team") == set()


async def test_a_broken_built_in_record_can_be_removed(store: SubscriptionStore, tables: Tables) -> None:
    """Then it is as it was at first, without keys."""
    await store.set_key("master", "primary", ONE)
    await tables.table("gatewaysubscriptions").put(Put({**await columns_of(tables, "master"), "state": "on"}))
    assert isinstance((await store.list())[0], LoadFault)
    assert await store.delete("master") is True
    assert await store.list() == [BUILT_IN]
    assert await keys_of(tables, "master") == set()


class Breaking(Tables):
    """Tables whose connection breaks after so many calls."""

    calls_left = 0

    async def send(self, *arguments: Any) -> Any:
        if self.calls_left == 0:
            raise StorageUnavailable("broken")
        self.calls_left -= 1
        return await super().send(*arguments)


async def test_a_deletion_cut_short_can_be_done_again(store: SubscriptionStore, tables: Tables, azurite: str) -> None:
    """Wherever it is cut: the record stays until no row of the index leads to it."""
    breaking = Breaking(Settings(tables=azurite))
    for calls in range(4):
        await store.create(RECORD)
        breaking.calls_left = calls
        with pytest.raises(StorageUnavailable):
            await SubscriptionStore(breaking).delete("team")
        assert await store.delete("team") is True
        assert await keys_of(tables, "team") == set()
    await breaking.aclose()


async def test_digests_broken_by_hand_match_nothing(store: SubscriptionStore, tables: Tables) -> None:
    """Whatever type or characters they have."""
    await store.create(RECORD)
    columns = await columns_of(tables, "team")
    await tables.table("gatewaysubscriptions").put(Put({**columns, "primaryDigest": 7, "secondaryDigest": "é"}))
    assert await store.find(ONE) is None
    assert await store.delete("team") is True
    assert await tables.table("gatewaykeys").row_keys(subscription="team") == [], "keys that nothing names any more"


async def test_only_digests_are_stored(store: SubscriptionStore, tables: Tables) -> None:
    """And they are not in the record's representation."""
    await store.create(RECORD)
    assert set(await columns_of(tables, "team")) == {
        *("PartitionKey", "RowKey", "displayName", "scopeKind", "scopeName", "state", "startDate", "expirationDate"),
        *("primaryDigest", "secondaryDigest"),
    }
    assert ONE not in repr(RECORD)
