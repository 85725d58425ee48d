"""An outage of the embeddings costs a few calls their time, not every call."""

import asyncio

from gateway.cache.embedding_outage import MOST_FAILURES, PAUSE_SECONDS
from tests.cache.embeddings import (
    PATIENCE,
    TEXT,
    answer,
    reason,
    refusal,
    served,
    switching,
)
from tests.clock import Clock


async def test_an_outage_is_not_asked_about_each_time() -> None:
    """After so many failures nobody asks; then one does, and the others only if that went well."""
    clock = Clock()
    script = switching(*[refusal(500)] * (MOST_FAILURES + 1), answer())
    async with served(script, clock=clock) as (embedder, server):
        for number in range(MOST_FAILURES):
            assert await reason(embedder, f"text {number}") == "embeddings-unavailable"
        assert await reason(embedder) == "embeddings-unavailable"
        clock.time += PAUSE_SECONDS - 0.1
        assert await reason(embedder) == "embeddings-unavailable"
        assert len(server.requests) == MOST_FAILURES
        clock.time += 0.1
        both = await asyncio.gather(reason(embedder, "one"), reason(embedder, "two"))
        assert (set(both), len(server.requests)) == ({"embeddings-unavailable"}, MOST_FAILURES + 1)
        clock.time += PAUSE_SECONDS
        await asyncio.gather(embedder.embed("one", PATIENCE))
        await asyncio.gather(*[embedder.embed(f"text {number}", PATIENCE) for number in range(5)])
        assert len(server.requests) == MOST_FAILURES + 7


async def test_a_success_between_failures_ends_the_count() -> None:
    """Only failures in a row are an outage."""
    async with served(switching(*[refusal(500), answer()] * MOST_FAILURES, answer())) as (embedder, _):
        for number in range(MOST_FAILURES):
            assert await reason(embedder, f"bad {number}") == "embeddings-unavailable"
            await embedder.embed(f"good {number}", PATIENCE)


async def test_texts_that_are_refused_are_no_outage() -> None:
    """Somebody's texts that are too long must not take the cache from the others."""
    async with served(switching(*[refusal(400)] * MOST_FAILURES * 2, answer())) as (embedder, _):
        for number in range(MOST_FAILURES * 2):
            assert await reason(embedder, f"long {number}") == "embeddings-refused"
        assert (await embedder.embed(TEXT, PATIENCE)).tokens == 7


async def test_what_is_known_is_known_in_an_outage() -> None:
    """It needs nobody."""
    async with served(switching(answer(), *[refusal(500)] * 10)) as (embedder, _):
        known = await embedder.embed(TEXT, PATIENCE)
        for number in range(MOST_FAILURES + 1):
            await reason(embedder, f"text {number}")
        assert (await embedder.embed(TEXT, PATIENCE)).vector is known.vector
