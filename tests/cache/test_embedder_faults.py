"""Whatever a backend does, there is a vector that can be used or a reason; the log keeps the text to itself."""

import asyncio
import logging
import time

import pytest

from gateway.cache.embedding_outage import SECONDS_BETWEEN_LINES
from tests.backends.raw_server import Peer
from tests.cache.embeddings import (
    PATIENCE,
    SECRET,
    TEXT,
    UNIT,
    VECTOR,
    answer,
    base64_of,
    embedding,
    reason,
    refusal,
    response,
    served,
    switching,
)
from tests.clock import Clock

LARGE = response(b" " * (1024 * 1024 + 1))
FAULTS: dict[str, tuple[bytes, str]] = {
    "400": (refusal(400), "embeddings-refused"),
    "401": (refusal(401), "embeddings-refused"),
    "403": (refusal(403), "embeddings-refused"),
    "404": (refusal(404), "embeddings-refused"),
    "422": (refusal(422), "embeddings-refused"),
    "408": (refusal(408), "embeddings-unavailable"),
    "429": (refusal(429), "embeddings-over-quota"),
    "500": (refusal(500), "embeddings-unavailable"),
    "503, HTML": (response(b"<html>", 503, "text/html"), "embeddings-unavailable"),
    "a redirect": (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "embeddings-unavailable"),
    "a status that does not exist": (refusal(799), "embeddings-unavailable"),
    "no HTTP": (b"SSH-2.0\r\n\r\n", "embeddings-unavailable"),
    "cut off": (b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{", "embeddings-timeout"),
    "endless": (LARGE, "embeddings-unavailable"),
    "said to be compressed": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        "embeddings-unavailable",
    ),
    "HTML": (response(b"<html>Sign in</html>", 200, "text/html"), "embeddings-wrong"),
    "broken JSON": (response(b'{"data": ['), "embeddings-wrong"),
    "another JSON": (response(b"[1]"), "embeddings-wrong"),
    "null": (response(b"null"), "embeddings-wrong"),
    "nothing": (response(b""), "embeddings-wrong"),
    "no data": (answer(data=[]), "embeddings-wrong"),
    "data of another kind": (answer(data={"embedding": VECTOR}), "embeddings-wrong"),
    "two vectors": (answer(data=[{"embedding": VECTOR}] * 2), "embeddings-wrong"),
    "no vector": (answer(None), "embeddings-wrong"),
    "an empty vector": (answer([]), "embeddings-wrong"),
    "another dimension": (answer([1.0, 0.0]), "embeddings-wrong"),
    "a matrix": (answer([VECTOR] * 3), "embeddings-wrong"),
    "texts": (answer(["a", "b", "c"]), "embeddings-wrong"),
    "a null in it": (answer([1.0, None, 0.0]), "embeddings-wrong"),
    "NaN": (answer([1.0, float("nan"), 0.0]), "embeddings-wrong"),
    "NaN in base64": (answer(base64_of([1.0, float("nan"), 0.0])), "embeddings-wrong"),
    "infinite": (answer([1.0, float("inf"), 0.0]), "embeddings-wrong"),
    "a length beyond numbers": (answer([1.7e308, 1.7e308, 1.7e308]), "embeddings-wrong"),
    "as good as zero": (answer([5e-324, 5e-324, 5e-324]), "embeddings-wrong"),
    "zero": (answer([0.0, 0.0, 0.0]), "embeddings-wrong"),
    "no base64": (answer("!"), "embeddings-wrong"),
    "half a number in base64": (answer("AAAAAAA="), "embeddings-wrong"),
}


@pytest.mark.parametrize(("fault", "expected"), FAULTS.values(), ids=FAULTS)
async def test_each_fault_has_its_reason(fault: bytes, expected: str, caplog: pytest.LogCaptureFixture) -> None:
    """And one line in the log, with the backend's name and neither the text nor the credential; nothing is kept."""
    caplog.set_level(logging.DEBUG)
    key = {"header": "Authorization", "value": "{{key}}"}
    async with served(switching(fault, answer()), credentials=key) as (embedder, _):
        late = 0.2 if expected == "embeddings-timeout" else PATIENCE
        assert await reason(embedder, timeout=late) == expected
        assert (await embedder.embed(TEXT, PATIENCE)).vector.tolist() == pytest.approx(UNIT)
    lines = [record.message for record in caplog.records if record.name == "gateway.cache"]
    assert len(lines) == 1
    assert lines[0].startswith(f"embeddings of backend vectors: {expected} (")
    everything = "\n".join(f"{record.message} {record.exc_text}" for record in caplog.records)
    assert not any(secret in everything for secret in (SECRET, "swallow", "Sign in"))


async def test_nobody_listens() -> None:
    """Refused at once, not after the deadline."""
    started = time.monotonic()
    async with embedding("http://127.0.0.1:1/v1") as embedder:
        assert await reason(embedder) == "embeddings-unavailable"
    assert time.monotonic() - started < PATIENCE


async def test_the_backend_resets_the_connection() -> None:
    """It is not asked a second time."""

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    async with served(script) as (embedder, server):
        assert await reason(embedder) == "embeddings-unavailable"
        assert len(server.requests) == 1


async def test_a_slow_backend_is_given_up() -> None:
    """At the deadline, and it is told so."""
    async with served(switching(None)) as (embedder, server):
        started = time.monotonic()
        assert await reason(embedder, timeout=0.1) == "embeddings-timeout"
        assert 0.09 < time.monotonic() - started < 1.0
        await server.told("closed")


async def test_a_slow_body_is_given_up_too() -> None:
    """The deadline is over everything, not over each piece."""
    head, _, body = answer().partition(b"\r\n\r\n")

    async def script(peer: Peer) -> None:
        await peer.answer(head + b"\r\n\r\n")
        for byte in body:
            await peer.send(bytes([byte]))
            await asyncio.sleep(0.02)

    async with served(script) as (embedder, _):
        started = time.monotonic()
        assert await reason(embedder, timeout=0.2) == "embeddings-timeout"
        assert time.monotonic() - started < 1.0


async def test_the_log_hears_of_a_reason_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """Of each reason."""
    clock = Clock()
    async with served(switching(*[refusal(400)] * 3, refusal(401), refusal(429), refusal(400)), clock=clock) as (
        embedder,
        _,
    ):
        for _ in range(5):
            await reason(embedder)
        clock.time += SECONDS_BETWEEN_LINES
        await reason(embedder)
    assert [record.message for record in caplog.records if record.name == "gateway.cache"] == [
        "embeddings of backend vectors: embeddings-refused (status 400)",
        "embeddings of backend vectors: embeddings-over-quota (status 429)",
        "embeddings of backend vectors: embeddings-refused (status 400)",
    ]
