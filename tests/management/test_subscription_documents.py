"""Subscriptions, as documents and by command, against Azurite."""

import asyncio
from datetime import UTC, datetime
from typing import get_args

import pytest

from gateway.catalog.keys import digest
from gateway.catalog.models import SubscriptionState
from gateway.errors import CatalogError
from tests.management.operator import Operator, refusals


async def test_of_two_who_create_one_subscription_only_one_gets_keys(operator: Operator) -> None:
    """The other's keys would be dead, so it gets none."""
    text = "{kind: Subscription, name: s, scope: /apis}"
    results = await asyncio.gather(operator.apply(text), operator.apply(text), operator.apply(text))
    issued = [result.keys["s"] for result in results if "s" in result.keys]
    assert len(issued) == 1
    assert await operator.subscriptions.find(digest(issued[0].primary)) is not None


async def test_a_subscription_is_created_with_keys(operator: Operator) -> None:
    """With dates as text or as moments; the name must be free and the scope must exist."""
    await operator.apply()
    issued = await operator.service.create_subscription(
        "other", "/products/starter", "Other", "2026-01-01", datetime(2027, 1, 1, tzinfo=UTC)
    )
    assert (issued.name, issued.state) == ("other", "active")
    found = await operator.subscriptions.find(digest(issued.primary))
    assert found is not None
    assert found[0].expiration == datetime(2027, 1, 1, tzinfo=UTC)
    for name, scope, fault in (
        ("other", "/apis", "Subscription other: already exists"),
        ("master", "/apis", "Subscription master: already exists"),
        ("x", "/products/nothing", "Subscription x: scope: Product nothing does not exist"),
        ("x", "everything", 'Subscription x: scope: must be "/apis"'),
        ("X", "/apis", "Subscription X: name: must be 1 to 80"),
    ):
        with pytest.raises(CatalogError) as caught:
            await operator.service.create_subscription(name, scope)
        assert refusals(caught)[0].startswith(fault)


async def test_where_a_product_asks_for_approval_a_subscription_starts_submitted(operator: Operator) -> None:
    """Created by command or by document, unless the document says otherwise; until somebody approves."""
    await operator.apply()
    assert (await operator.service.create_subscription("one", "/products/gold")).state == "submitted"
    text = "{kind: Subscription, name: two, scope: /products/gold}\n---\n"
    text += "{kind: Subscription, name: three, scope: /products/gold, state: active}"
    result = await operator.apply(text)
    assert (result.keys["two"].state, result.keys["three"].state) == ("submitted", "active")
    await operator.service.set_state("one", "active")
    record = await operator.subscriptions.get("one")
    assert record is not None
    assert record.state == "active"


@pytest.mark.parametrize("state", get_args(SubscriptionState))
async def test_every_state_can_be_set_and_applying_again_keeps_it(operator: Operator, state: SubscriptionState) -> None:
    """A file that says nothing of the state must not wake what an operator has suspended."""
    await operator.apply()
    await operator.service.set_state("team", state)
    result = await operator.apply()
    assert "Subscription team" in result.unchanged
    document = await operator.service.show("Subscription", "team")
    assert document.to_json()["state"] == state


async def test_a_state_that_is_none_is_refused(operator: Operator) -> None:
    """With those that are."""
    await operator.apply()
    with pytest.raises(CatalogError, match="Subscription team: state: must be one of submitted, active, suspended"):
        await operator.service.set_state("team", "on")
    with pytest.raises(CatalogError, match="a key is either primary or secondary"):
        await operator.service.regenerate_key("team", "third")


async def test_a_changed_subscription_keeps_its_keys(operator: Operator) -> None:
    """Scope, dates and name for people change; what a document leaves out is gone."""
    keys = (await operator.apply()).keys["team"]
    result = await operator.apply("{kind: Subscription, name: team, scope: /apis/openai}")
    assert (result.updated, result.keys, result.revision) == (("Subscription team",), {}, 1)
    found = await operator.subscriptions.find(digest(keys.primary))
    assert found is not None
    assert (found[0].scope_kind, found[0].scope_name, found[0].start) == ("api", "openai", None)


async def test_regenerating_kills_the_old_key_only(operator: Operator) -> None:
    """The other slot's key goes on."""
    keys = (await operator.apply()).keys["team"]
    new = await operator.service.regenerate_key("team", "primary")
    assert await operator.subscriptions.find(digest(keys.primary)) is None
    assert await operator.subscriptions.find(digest(new)) is not None
    assert await operator.subscriptions.find(digest(keys.secondary)) is not None


async def test_the_built_in_subscription(operator: Operator) -> None:
    """It is listed, gets keys, is suspended and renamed, is exported only then, and is never deleted."""
    assert [document.name for document in await operator.service.list("Subscription")] == ["master"]
    assert await operator.service.export() == []
    key = await operator.service.regenerate_key("master", "primary")
    found = await operator.subscriptions.find(digest(key))
    assert found is not None
    assert found[0].scope_kind == "all"
    await operator.service.set_state("master", "suspended")
    result = await operator.apply("{kind: Subscription, name: master, scope: /apis, displayName: Everything}")
    assert (result.updated, result.keys) == (("Subscription master",), {})
    assert [document.to_json()["state"] for document in await operator.service.export()] == ["suspended"]
    with pytest.raises(CatalogError, match="is built in and cannot be deleted"):
        await operator.service.delete("Subscription", "master")
