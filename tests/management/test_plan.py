"""What applying documents does, against Azurite."""

import asyncio
from typing import Any

import pytest

from gateway.catalog.keys import digest, is_well_formed
from gateway.catalog.loading import from_json, parse_documents
from gateway.catalog.secrets import SecretBox
from gateway.errors import CatalogError
from gateway.management.service import CatalogService
from gateway.storage.catalog import CatalogConflict, CatalogStore
from gateway.storage.subscriptions import SubscriptionStore
from gateway.storage.tables import Tables
from tests.management.operator import Operator, refusals


async def test_applying_creates_and_issues_keys_once(operator: Operator) -> None:
    """The keys work, and are not to be had a second time."""
    result = await operator.apply()
    assert result.revision == 1
    assert result.created == (
        "NamedValue key",
        "Product starter",
        "Product gold",
        "Backend model",
        "Api openai",
        "Subscription team",
    )
    keys = result.keys["team"]
    assert is_well_formed(keys.primary)
    assert is_well_formed(keys.secondary)
    assert keys.primary not in repr(result)
    found = await operator.subscriptions.find(digest(keys.secondary))
    assert found is not None
    assert (found[0].name, found[0].state, found[1]) == ("team", "active", "secondary")
    assert (await operator.apply()).keys == {}


async def test_applying_the_same_again_changes_nothing(operator: Operator) -> None:
    """Not even the revision, so no instance loads anything."""
    first = await operator.apply()
    second = await operator.apply()
    assert (second.revision, second.created, second.updated) == (1, (), ())
    assert second.unchanged == first.created


async def test_applying_changes_what_differs_and_leaves_the_rest(operator: Operator) -> None:
    """Documents that are not given stay as they are."""
    await operator.apply()
    result = await operator.apply(
        "{kind: Product, name: starter}\n---\n{kind: Product, name: new}\n---\n"
        "{kind: Product, name: gold, state: published, approvalRequired: true}"
    )
    assert (result.revision, result.created, result.updated, result.unchanged) == (
        2,
        ("Product new",),
        ("Product starter",),
        ("Product gold",),
    )
    assert (await operator.service.show("Product", "starter")).to_json() == {"kind": "Product", "name": "starter"}
    assert (await operator.service.show("Api", "openai")).name == "openai"


async def test_nothing_is_written_if_anything_is_wrong(operator: Operator) -> None:
    """Every fault is told at once; good documents beside bad ones are not applied either."""
    text = """
{kind: Product, name: good}
---
{kind: Api, name: a, path: a, type: openai, backend: gone, products: [lost]}
---
{kind: Subscription, name: s, scope: /apis/nowhere}
---
{kind: NamedValue, name: n}
---
{kind: Subscription, name: master, scope: /apis/a}
"""
    with pytest.raises(CatalogError) as caught:
        await operator.apply(text)
    assert sorted(refusals(caught)) == [
        "Api a: backend: Backend gone does not exist",
        "Api a: products: Product lost does not exist",
        "NamedValue n: value: is required, for none is stored yet",
        'Subscription master: scope: must be "/apis": it is the built-in all-access one',
        "Subscription s: scope: Api nowhere does not exist",
    ]
    assert await operator.everything_stored() == ""


async def test_checking_writes_nothing(operator: Operator) -> None:
    """It sees the stored documents and the given ones together."""
    await operator.apply()
    before = await operator.everything_stored()
    good = parse_documents("{kind: Subscription, name: s, scope: /apis/openai}", "x")
    bad = parse_documents("{kind: Api, name: b, path: OPENAI, type: openai, backend: model}", "x")
    assert await operator.service.check(good) == []
    faults = await operator.service.check([*good, *bad])
    assert [str(fault) for fault in faults] == ['Api b: path: "OPENAI" already belongs to Api openai']
    assert await operator.everything_stored() == before


async def test_a_document_given_twice_is_refused(operator: Operator) -> None:
    """Which of the two is meant cannot be known."""
    with pytest.raises(CatalogError, match="Product p: is there 2 times"):
        await operator.apply("{kind: Product, name: p}\n---\n{kind: Product, name: p, state: published}")


async def test_a_document_too_large_to_be_stored_is_refused_by_name(operator: Operator) -> None:
    """Before anything is written."""
    with pytest.raises(CatalogError, match="Product p: is too large to be stored: an entity has"):
        await operator.service.apply([from_json({"kind": "Product", "name": "p", "description": "x" * 600_000})])
    assert await operator.everything_stored() == ""


async def test_a_path_can_move_from_one_api_to_another(operator: Operator) -> None:
    """The catalog is judged as it will be, not document by document."""
    api = "{{kind: Api, name: {}, path: {}, type: openai, backend: {{url: 'http://x'}}}}"
    await operator.apply(api.format("a", "one") + "\n---\n" + api.format("b", "two"))
    result = await operator.apply(api.format("a", "two") + "\n---\n" + api.format("b", "one"))
    assert len(result.updated) == 2


async def test_more_than_99_documents_are_applied_at_once(operator: Operator) -> None:
    """With one revision."""
    text = "\n---\n".join(f"{{kind: Product, name: p{number}}}" for number in range(230))
    assert (await operator.apply(text)).revision == 1
    assert len(await operator.service.list("Product")) == 230


async def test_of_two_who_apply_at_once_both_succeed(operator: Operator) -> None:
    """The one who comes second validates again, against what the first wrote."""
    await operator.apply("{kind: Product, name: first}")
    results = await asyncio.gather(
        operator.apply("{kind: Product, name: a}"), operator.apply("{kind: Product, name: b}")
    )
    assert sorted(result.revision for result in results) == [2, 3]
    assert [document.name for document in await operator.service.list("Product")] == ["a", "b", "first"]


class AlwaysConflicting(CatalogStore):
    """A store in which somebody else is always a moment faster."""

    async def save(self, *_: Any) -> int:
        raise CatalogConflict


async def test_after_two_conflicts_it_gives_up(tables: Tables) -> None:
    """With a sentence, not for ever."""
    service = CatalogService(AlwaysConflicting(tables), SubscriptionStore(tables), SecretBox([]), {})
    with pytest.raises(CatalogError, match="changed by someone else at the same time; try again"):
        await service.apply([from_json({"kind": "Product", "name": "p"})])
