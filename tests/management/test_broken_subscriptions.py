"""A subscription whose row somebody broke: nothing is lost silently, and nothing is built on what cannot be read."""

import pytest

from gateway.catalog.keys import digest
from gateway.errors import CatalogError
from gateway.management.service import DocumentNotFound
from gateway.storage.tables import Put
from tests.management.operator import Operator, refusals


@pytest.fixture
async def broken(operator: Operator) -> Operator:
    """The operator's catalog, with a state in the row of `team` that does not exist."""
    await operator.apply()
    table = operator.tables.table("gatewaysubscriptions")
    row = await table.get("subscription", "team")
    await table.put(Put({**row.values, "state": "paused"}))
    return operator


async def test_an_export_is_refused(broken: Operator) -> None:
    """Without it the export would look complete."""
    with pytest.raises(CatalogError) as refused:
        await broken.service.export()
    assert refusals(refused) == [
        "Subscription team: its stored state is 'paused'",
        "nothing is exported; mend or delete what cannot be read first",
    ]


async def test_a_row_of_no_known_kind_refuses_an_export_too(operator: Operator) -> None:
    """It may be of a later version; the rest of the catalog can be worked with."""
    await operator.apply()
    await operator.tables.table("gatewaycatalog").put(
        Put({"PartitionKey": "catalog", "RowKey": "Team:a", "document00": '{"kind": "Team", "name": "a"}'})
    )
    with pytest.raises(CatalogError, match='row Team:a: unknown kind "Team"'):
        await operator.service.export()
    assert (await operator.apply()).updated == ()


async def test_a_row_that_is_no_document_stops_nobody(operator: Operator) -> None:
    """What nobody could have written, such as a display name of two lines; applying the document mends it."""
    keys = (await operator.apply()).keys["team"]
    table = operator.tables.table("gatewaysubscriptions")
    await table.put(Put({**(await table.get("subscription", "team")).values, "displayName": "two\nlines"}))
    with pytest.raises(CatalogError, match="Subscription team: displayName: must not contain line breaks"):
        await operator.service.export()
    assert [each.name for each in await operator.service.list("Product")] == ["gold", "starter"]
    assert await operator.subscriptions.find(digest(keys.primary)) is not None
    assert (await operator.apply()).updated == ("Subscription team",)
    assert await operator.subscriptions.find(digest(keys.primary)) is not None
    assert len(await operator.service.export()) == 6


async def test_the_built_in_one_can_be_mended_by_deleting_it(operator: Operator) -> None:
    """Then it is as it was at first."""
    await operator.service.regenerate_key("master", "primary")
    table = operator.tables.table("gatewaysubscriptions")
    await table.put(Put({**(await table.get("subscription", "master")).values, "scopeKind": "everything"}))
    with pytest.raises(CatalogError, match="subscriptions delete master"):
        await operator.apply("{kind: Subscription, name: master, scope: /apis}")
    await operator.service.delete("Subscription", "master")
    assert [each.name for each in await operator.service.list("Subscription")] == ["master"]


async def test_it_is_left_out_of_lists_but_shown_for_what_it_is(broken: Operator) -> None:
    """The others are listed; asked for by name, it says what is wrong."""
    assert [each.name for each in await broken.service.list("Subscription")] == ["master"]
    with pytest.raises(CatalogError, match="its stored state is 'paused'"):
        await broken.service.show("Subscription", "team")


@pytest.mark.parametrize("name", ["starter", "gold"])
async def test_what_it_may_refer_to_cannot_be_deleted(broken: Operator, name: str) -> None:
    """Nobody can tell what it opens."""
    await broken.apply("{kind: Api, name: openai, path: openai, type: openai, backend: model}")
    with pytest.raises(CatalogError) as refused:
        await broken.service.delete("Product", name)
    assert refusals(refused) == [
        f"Product {name}: may be used by Subscription team, which cannot be read; delete or mend that first"
    ]
    with pytest.raises(CatalogError, match="may be used by Subscription team"):
        await broken.service.delete("Api", "openai")


async def test_it_cannot_be_overwritten_by_applying(broken: Operator) -> None:
    """Its keys are in the row; the message says how to get rid of both."""
    with pytest.raises(CatalogError, match="cannot be read; delete it") as refused:
        await broken.apply()
    assert len(refused.value.faults) == 1
    with pytest.raises(CatalogError, match="already exists"):
        await broken.service.create_subscription("team", "/products/starter")


async def test_deleted_it_is_gone_with_its_keys(broken: Operator) -> None:
    """And all that waited for it can be done."""
    await broken.service.delete("Subscription", "team")
    assert await broken.tables.table("gatewaykeys").row_keys(subscription="team") == []
    assert len(await broken.service.export()) == 5
    assert (await broken.apply()).created == ("Subscription team",)
    await broken.service.delete("Subscription", "team")
    with pytest.raises(DocumentNotFound):
        await broken.service.delete("Subscription", "team")


async def test_a_broken_api_holds_its_product(operator: Operator) -> None:
    """The same for documents: what a broken one may refer to stays."""
    await operator.apply()
    await operator.service.delete("Subscription", "team")
    await operator.tables.table("gatewaycatalog").put(
        Put({"PartitionKey": "catalog", "RowKey": "Api:openai", "document00": "oops"})
    )
    for kind, name in (("Product", "starter"), ("Backend", "model")):
        with pytest.raises(CatalogError, match="may be used by Api openai, which cannot be read"):
            await operator.service.delete(kind, name)  # type: ignore[arg-type]
    await operator.service.delete("Api", "openai")
    await operator.service.delete("Product", "starter")
