"""Several operators, or several pipelines, change the catalog at the same time."""

import asyncio

import pytest

from gateway.management.service import CatalogService
from gateway.settings import Settings
from gateway.storage.catalog import CatalogConflict
from gateway.storage.tables import Tables
from tests.management.operator import OLD, Operator

WRITERS = 12


async def test_all_of_them_get_their_turn(azurite: str, operator: Operator) -> None:
    """Each has connections of its own, as a process has; none is refused, and no change is lost."""
    others = [Operator(Tables(Settings(tables=azurite)), OLD) for _ in range(WRITERS)]
    try:
        results = await asyncio.gather(
            *[other.apply(f"{{kind: Product, name: product-{number}}}") for number, other in enumerate(others)]
        )
    finally:
        for other in others:
            await other.tables.aclose()
    assert sorted(result.revision for result in results) == list(range(1, WRITERS + 1))
    assert len(await operator.service.list("Product")) == WRITERS


async def test_one_who_never_gets_a_turn_is_told(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tries have an end, and the sentence says what to do."""
    monkeypatch.setattr("gateway.management.service.CONFLICT_SECONDS", 0.2)
    tries = 0

    async def conflict(self: CatalogService, documents: object) -> None:
        nonlocal tries
        tries += 1
        raise CatalogConflict

    monkeypatch.setattr(CatalogService, "_apply", conflict)
    with pytest.raises(CatalogConflict, match="try again"):
        await operator.apply()
    assert tries > 1
