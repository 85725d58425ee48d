"""A check that hangs or breaks is one finding, and the others are made."""

import asyncio
from collections.abc import AsyncIterator

from gateway.management.doctor.bounded import bounded, bounded_group
from gateway.management.doctor.finding import Finding

WELL = Finding("first", "ok", "It is well.")


async def hangs() -> list[Finding]:
    await asyncio.Event().wait()
    return [WELL]


async def breaks() -> list[Finding]:
    raise RuntimeError("sk-very-secret")


async def group(ends: bool) -> AsyncIterator[Finding]:
    yield WELL
    if not ends:
        await asyncio.Event().wait()


async def test_a_check_that_hangs_has_failed() -> None:
    """After the time given."""
    (found,) = await bounded("backend", hangs(), 0.01)
    assert (found.check, found.state, found.said) == ("backend", "failed", "There was no result within 0.01 s.")


async def test_a_check_that_breaks_has_failed() -> None:
    """Its error is named, and what that says is not shown."""
    (found,) = await bounded("backend", breaks())
    assert (found.check, found.state) == ("backend", "failed")
    assert "RuntimeError" in found.said
    assert "sk-very-secret" not in found.said + found.mend


async def test_a_group_keeps_what_came_before() -> None:
    """And ends as it should if nothing is wrong."""
    assert [each async for each in bounded_group("first", group(ends=True))] == [WELL]
    found = [each async for each in bounded_group("first", group(ends=False), 0.01)]
    assert [each.state for each in found] == ["ok", "failed"]
