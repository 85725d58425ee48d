"""One embedding of one text: what is asked, what comes of it, and that nobody asks twice."""

import asyncio
import json
import time
from typing import Any

import pytest

from gateway.cache.embedder import MOST_REMEMBERED
from local.model import ModelServer
from local.model.embeddings import vector_of
from tests.backends.exchanges import always
from tests.backends.raw_server import Peer
from tests.cache.embeddings import (
    PATIENCE,
    TEXT,
    UNIT,
    VECTOR,
    answer,
    base64_of,
    embedding,
    is_unit,
    reason,
    refusal,
    served,
    switching,
)
from tests.clock import settle


async def test_a_real_server() -> None:
    """The stand-in model's vector for the text, at length one, with its tokens and its time."""
    with ModelServer() as model:
        async with embedding(model.url, 64) as embedder:
            found = await embedder.embed(TEXT, PATIENCE)
    assert found.vector.tolist() == pytest.approx(vector_of(TEXT, 64).tolist(), abs=1e-6)
    assert (found.vector.dtype.name, found.vector.shape, is_unit(found.vector)) == ("float32", (64,), True)
    assert found.tokens > 0
    assert 0 < found.seconds < PATIENCE
    with pytest.raises(ValueError, match="read-only"):
        found.vector[0] = 1.0


@pytest.mark.parametrize("vector", [VECTOR, base64_of(VECTOR)], ids=["floats", "base64"])
async def test_either_encoding(vector: Any) -> None:
    """Asked for base64, a backend may answer with numbers; each comes out at length one."""
    async with served(always(answer(vector))) as (embedder, server):
        found = await embedder.embed(TEXT, PATIENCE)
        asked = json.loads(server.requests[0].body)
    assert found.vector.tolist() == pytest.approx(UNIT)
    assert found.tokens == 7
    assert asked == {"model": "small", "input": TEXT, "dimensions": 3, "encoding_format": "base64"}


async def test_the_model_may_choose_the_dimensions() -> None:
    """Then they are not asked for; what it has chosen first is insisted on."""
    async with served(switching(answer(), answer([1.0, 0.0])), None) as (embedder, server):
        assert embedder.dimensions is None
        await embedder.embed("one", PATIENCE)
        assert embedder.dimensions == 3
        assert await reason(embedder, "two") == "embeddings-wrong"
        assert "dimensions" not in json.loads(server.requests[0].body)


async def test_a_backend_that_does_not_tell_its_usage() -> None:
    """No tokens are made up."""
    async with served(always(answer(usage=None))) as (embedder, _):
        assert (await embedder.embed(TEXT, PATIENCE)).tokens == 0


async def test_half_a_surrogate_pair() -> None:
    """JSON can carry it, UTF-8 cannot: it must not make a call fail."""
    async with served(always(answer())) as (embedder, server):
        await embedder.embed("a\ud800b", PATIENCE)
        assert json.loads(server.requests[0].body)["input"] == "a?b"


async def test_the_same_text_at_once_is_asked_once() -> None:
    """All have the vector; one pays."""
    async with served(always(answer())) as (embedder, server):
        found = await asyncio.gather(*[embedder.embed(TEXT, PATIENCE) for _ in range(50)])
        assert len(server.requests) == 1
    assert sorted(each.tokens for each in found) == [0] * 49 + [7]
    assert len({id(each.vector) for each in found}) == 1


async def test_a_failure_is_shared_too() -> None:
    """Each has an error of its own, for the same reason."""
    async with served(switching(refusal(429))) as (embedder, server):
        assert await asyncio.gather(*[reason(embedder) for _ in range(20)]) == ["embeddings-over-quota"] * 20
        assert len(server.requests) == 1


async def test_who_is_cancelled_takes_nothing_along() -> None:
    """The others have their answer, and so has the next one."""

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.server.tell("asked")
        await peer.told("answer")
        await peer.send(answer())
        await peer.until_closed()

    async with served(script) as (embedder, server):
        first, second = (asyncio.create_task(embedder.embed(TEXT, PATIENCE)) for _ in range(2))
        await server.told("asked")
        first.cancel()
        await settle()
        assert first.cancelled()
        server.tell("answer")
        assert (await second).vector.tolist() == pytest.approx(UNIT)
        known = await embedder.embed(TEXT, PATIENCE)
        assert (known.tokens, known.seconds, len(server.requests)) == (0, 0.0, 1)


async def test_each_has_a_deadline_of_its_own() -> None:
    """Whoever has less time than the one who asked first does not wait as long."""
    async with served(switching(None)) as (embedder, _):
        patient = asyncio.create_task(reason(embedder, timeout=0.4))
        await settle()
        started = time.monotonic()
        assert await reason(embedder, timeout=0.05) == "embeddings-timeout"
        assert time.monotonic() - started < 0.35
        assert await patient == "embeddings-timeout"


async def test_only_the_latest_are_remembered() -> None:
    """Those used last."""
    async with served(always(answer())) as (embedder, server):
        await embedder.embed("first", PATIENCE)
        await embedder.embed("second", PATIENCE)
        for number in range(MOST_REMEMBERED - 1):
            await embedder.embed("first", PATIENCE)
            await embedder.embed(f"text {number}", PATIENCE)
        assert len(server.requests) == MOST_REMEMBERED + 1
        await embedder.embed("first", PATIENCE)
        assert len(server.requests) == MOST_REMEMBERED + 1
        await embedder.embed("second", PATIENCE)
        assert len(server.requests) == MOST_REMEMBERED + 2


async def test_closing_leaves_nothing_behind() -> None:
    """Whoever waits hears that there are no embeddings; the backend hears it too."""

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.server.tell("asked")
        await peer.until_closed()

    async with served(script) as (embedder, server):
        waiting = asyncio.create_task(reason(embedder))
        await server.told("asked")
        await embedder.aclose()
        assert await waiting == "embeddings-unavailable"
        await server.told("closed")
        assert asyncio.all_tasks() == {asyncio.current_task()}
