"""One embedding of one text: what is asked, what comes of each answer, and how little an outage costs."""

import asyncio
import json
import logging
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.cache.embedder import MOST_REMEMBERED, Embedder, EmbeddingFailed
from gateway.cache.embedding_outage import MOST_FAILURES, PAUSE_SECONDS, SECONDS_BETWEEN_LINES
from local.model import ModelServer
from local.model.embeddings import vector_of
from tests.backends.exchanges import always
from tests.backends.raw_server import Peer, RawServer
from tests.cache.embeddings import (
    SECRET,
    TEXT,
    UNIT,
    VECTOR,
    answer,
    base64_of,
    embedding,
    is_unit,
    refusal,
    response,
    served,
    switching,
)
from tests.clock import Clock, settle

PATIENCE = 5.0


async def reason(embedder: Embedder, text: str = TEXT, timeout: float = PATIENCE) -> str:
    """Why there is no embedding."""
    with pytest.raises(EmbeddingFailed) as raised:
        await embedder.embed(text, timeout)
    return raised.value.reason


# What is asked, and answered.


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


# Credentials and connections.

CREDENTIALS: dict[str, tuple[dict[str, Any] | None, bytes, dict[bytes, bytes]]] = {
    "none": (None, b"/v1/embeddings", {}),
    "a header": (
        {"header": "Authorization", "value": "{{key}}"},
        b"/v1/embeddings",
        {b"authorization": SECRET.encode()},
    ),
    "Azure's header": ({"header": "api-key", "value": "{{key}}"}, b"/v1/embeddings", {b"api-key": SECRET.encode()}),
    "a query": ({"query": "key", "value": "{{key}}"}, f"/v1/embeddings?key={SECRET}".encode(), {}),
    "a managed identity": (
        {"managedIdentity": {"scope": "https://ai.example/.default"}},
        b"/v1/embeddings",
        {b"authorization": b"Bearer token for https://ai.example/.default"},
    ),
}


class Tokens:
    """A managed identity."""

    async def token(self, scope: str, client_id: str | None) -> str:
        return f"token for {scope}"

    async def aclose(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize(("credentials", "target", "headers"), CREDENTIALS.values(), ids=CREDENTIALS)
async def test_the_credential_is_the_backends(
    credentials: dict[str, Any] | None,
    target: bytes,
    headers: dict[bytes, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the SDK finds in its environment, or would tell of this machine, does not go out."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-of-somebody-else")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/elsewhere")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-custom: 1\nauthorization: Bearer custom")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with served(always(answer()), credentials=credentials, tokens=Tokens()) as (embedder, server):
        await embedder.embed(TEXT, PATIENCE)
        request = server.requests[0]
    assert request.target == target
    sent = dict(line.lower().split(b": ", 1) for line in request.head.split(b"\r\n")[1:] if line)
    assert set(sent) - set(headers) == {
        b"host", b"accept", b"accept-encoding", b"content-type", b"content-length", b"user-agent"
    }  # fmt: skip
    assert {name: request.header(name) for name in headers} == headers
    assert sent[b"host"] == server.url.removeprefix("http://").encode()
    assert sent[b"accept-encoding"] == b"identity"


async def test_azure_openai_with_a_deployment() -> None:
    """Its path needs the version of the API; the key is in its own header."""
    with ModelServer(key=SECRET) as model:
        url = f"{model.root}/openai/deployments/small"
        async with embedding(url, 16, credentials={"header": "api-key", "value": "{{key}}"}) as embedder:
            assert is_unit((await embedder.embed(TEXT, PATIENCE)).vector)
    async with served(always(answer()), path="/openai/deployments/small") as (embedder, server):
        await embedder.embed(TEXT, PATIENCE)
        assert server.requests[0].target == b"/openai/deployments/small/embeddings?api-version=2024-10-21"


async def test_connections_are_kept() -> None:
    """They are the gateway's own."""
    async with served(always(answer())) as (embedder, server):
        for number in range(3):
            await embedder.embed(f"text {number}", PATIENCE)
        assert (len(server.requests), server.connections) == (3, 1)


# What goes wrong.

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


# Outages.


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


# The same text.


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


# The SDK.


async def test_nobody_waits_for_the_import() -> None:
    """It takes most of a second the first time; meanwhile there is a reason."""
    with RawServer(always(answer())) as server:
        async with embedding(server.url, waits=False) as embedder:
            started = time.monotonic()
            assert [await reason(embedder) for _ in range(3)] == ["embeddings-loading"] * 3
            assert time.monotonic() - started < 0.1
            assert server.requests == []
            assert await embedder.ready()
            assert (await embedder.embed(TEXT, PATIENCE)).tokens == 7


async def test_an_sdk_that_is_not_there(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Calls go on without a cache by meaning."""
    monkeypatch.setitem(sys.modules, "openai", None)
    async with embedding("http://127.0.0.1:1", waits=False) as embedder:
        assert await reason(embedder) == "embeddings-loading"
        assert not await embedder.ready()
        assert await reason(embedder) == "embeddings-unavailable"
    assert [record.message for record in caplog.records] == [
        "the openai SDK cannot be used for embeddings: ModuleNotFoundError"
    ]


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


def test_importing_the_app_imports_neither_the_sdk_nor_numpy() -> None:
    """Nor does importing what is here: a cold start would take twice as long."""
    code = (
        "import sys, function_app, gateway.cache.embedder, gateway.cache.flights\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('numpy', 'openai', 'redis', 'usearch')])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env={"GATEWAY_TABLES": "UseDevelopmentStorage=true"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stdout.strip() == "[]", ran.stderr
