"""The blocklists of the stand-in, through the official client."""

from __future__ import annotations

import pytest
from azure.ai.contentsafety.aio import BlocklistClient
from azure.ai.contentsafety.models import (
    AddOrUpdateTextBlocklistItemsOptions,
    RemoveTextBlocklistItemsOptions,
    TextBlocklist,
    TextBlocklistItem,
)
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError


def adding(*texts: str) -> AddOrUpdateTextBlocklistItemsOptions:
    return AddOrUpdateTextBlocklistItemsOptions(blocklist_items=[TextBlocklistItem(text=text) for text in texts])


async def test_a_list_lives_from_creation_to_deletion(lists: BlocklistClient) -> None:
    """Each operation of the client once."""
    options = TextBlocklist(blocklist_name="brands", description="Names")
    assert (await lists.create_or_update_text_blocklist("brands", options)).description == "Names"
    added = await lists.add_or_update_blocklist_items("brands", adding("Contoso", "Fabrikam"))
    contoso = added.blocklist_items[0]
    again = await lists.add_or_update_blocklist_items("brands", adding("Contoso"))
    assert again.blocklist_items[0].blocklist_item_id == contoso.blocklist_item_id
    assert (await lists.get_text_blocklist_item("brands", contoso.blocklist_item_id)).text == "Contoso"
    removing = RemoveTextBlocklistItemsOptions(blocklist_item_ids=[contoso.blocklist_item_id])
    await lists.remove_blocklist_items("brands", removing)
    assert [item.text async for item in lists.list_text_blocklist_items("brands")] == ["Fabrikam"]
    assert [one.blocklist_name async for one in lists.list_text_blocklists()] == ["brands"]
    await lists.delete_text_blocklist("brands")
    with pytest.raises(ResourceNotFoundError):
        await lists.get_text_blocklist("brands")


async def test_long_lists_come_in_pages(lists: BlocklistClient) -> None:
    """The client follows nextLink."""
    await lists.create_or_update_text_blocklist("long", TextBlocklist(blocklist_name="long"))
    texts = [f"word{number}" for number in range(150)]
    for start in (0, 100):
        await lists.add_or_update_blocklist_items("long", adding(*texts[start : start + 100]))
    assert [item.text async for item in lists.list_text_blocklist_items("long")] == texts


@pytest.mark.parametrize("texts", [[], ["x" * 129], [""], ["x"] * 101], ids=["none", "long", "empty", "many"])
async def test_bad_items_are_refused(lists: BlocklistClient, texts: list[str]) -> None:
    """1 to 100 at once, of 1 to 128 characters."""
    await lists.create_or_update_text_blocklist("brands", TextBlocklist(blocklist_name="brands"))
    with pytest.raises(HttpResponseError) as failure:
        await lists.add_or_update_blocklist_items("brands", adding(*texts))
    assert failure.value.status_code == 400


async def test_a_bad_name_is_refused(lists: BlocklistClient) -> None:
    """With its own code."""
    with pytest.raises(HttpResponseError) as failure:
        await lists.create_or_update_text_blocklist("no spaces", TextBlocklist(blocklist_name="no spaces"))
    assert failure.value.error is not None
    assert failure.value.error.code == "InvalidResourceName"
