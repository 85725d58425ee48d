"""What the check of a backend finds, against servers that do each of these things."""

import json
import ssl
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from gateway.catalog.backend_settings import BackendSettings, Timeouts
from gateway.catalog.snapshot import ResolvedBackend
from gateway.management.cli.probe import Finding, probe
from tests.backends.raw_server import Peer, RawServer, Script

IMPATIENT = Timeouts.model_validate({"connect": 5.0, "firstByte": 0.2, "betweenChunks": 0.2})


def backend(url: str, value: str | None = None, **settings: object) -> ResolvedBackend:
    """A backend as the catalog resolves it."""
    fields: dict[str, object] = {"url": url, **settings}
    if value is not None:
        fields["credentials"] = {"header": "api-key", "value": "{{key}}"}
    return ResolvedBackend("test", BackendSettings.model_validate(fields), value)


def answer(status: str, content: bytes = b"", *headers: str) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + content


def models(*names: str) -> bytes:
    """OpenAI's list of models."""
    return json.dumps({"object": "list", "data": [{"id": name, "object": "model"} for name in names]}).encode()


def always(data: bytes) -> Script:
    """Answer every request with the same bytes."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.answer(data)

    return script


async def found(script: Script, api_type: str = "openai", value: str | None = None) -> Finding:
    """What the check says of a server that follows this script."""
    with RawServer(script) as server:
        return await probe(api_type, backend(f"{server.url}/v1", value))


ANSWERS = {
    "one": (answer("200 OK", models("a")), "good", "It answers: 200, 1 model: a."),
    "many": (
        answer("200 OK", models(*"abcdefg")),
        "good",
        "It answers: 200, 7 models: a, b, c, d, e, ….",
    ),
    "none": (answer("200 OK", models()), "good", "It answers: 200, no models yet."),
    "html": (
        answer("200 OK", b"<html>", "Content-Type: text/html"),
        "doubtful",
        "It answers 200, but with no list of models (text/html): is this the API's URL?",
    ),
    "json": (
        answer("200 OK", b'{"data": 1}'),
        "doubtful",
        "It answers 200, but with no list of models (no content type): is this the API's URL?",
    ),
    "404": (
        answer("404 Not Found"),
        "doubtful",
        "It answers, but has no list of models: 404. If calls get 404 too, the URL lacks a part, often /v1.",
    ),
    "403": (
        answer("403 Forbidden"),
        "doubtful",
        "It answers, but does not let this key see its models: 403. Calls may work all the same.",
    ),
    "405": (answer("405 No"), "doubtful", "It answers, but does not give a list of models: 405."),
    "503": (answer("503 Busy"), "doubtful", "It answers, but with an error of its own: 503."),
    "301": (
        answer("301 Moved", b"", "Location: https://elsewhere.example/v1"),
        "failed",
        "It redirects, which the gateway does not follow: give https://elsewhere.example/v1 as the URL.",
    ),
}


@pytest.mark.parametrize("case", list(ANSWERS))
async def test_what_an_openai_backend_answers(case: str) -> None:
    """GET /models tells whether the URL and the key are right."""
    data, verdict, text = ANSWERS[case]
    finding = await found(always(data))
    assert (finding.verdict, finding.text) == (verdict, text)


async def test_the_key_is_sent_as_calls_will_send_it() -> None:
    """In its header, to the path below the backend's own."""
    with RawServer(always(answer("200 OK", models("a")))) as server:
        await probe("openai", backend(f"{server.url}/base/v1", "sk-1"))
    (request,) = server.requests
    assert request.head.startswith(b"GET /base/v1/models HTTP/1.1\r\n")
    assert request.header(b"api-key") == b"sk-1"


async def test_a_key_that_cannot_be_read_here_is_left_out() -> None:
    """An empty header would be worse than none."""
    with RawServer(always(answer("401 Unauthorized"))) as server:
        finding = await probe("openai", ResolvedBackend("test", backend(server.url, "x").settings, None))
    assert finding.verdict == "doubtful"
    assert server.requests[0].header(b"api-key") is None


async def test_models_below_v1_give_the_url_to_use() -> None:
    """The most usual mistake gets its remedy."""

    async def script(peer: Peer) -> None:
        await peer.answer(answer("404 Not Found"))
        await peer.answer(answer("200 OK", models("a")))

    with RawServer(script) as server:
        finding = await probe("openai", backend(server.url))
    assert finding.text == f"The models are below /v1: give {server.url}/v1 as the URL."


@pytest.mark.parametrize(("status", "verdict"), [("200 OK", "good"), ("403 Forbidden", "good"), ("500 No", "doubtful")])
async def test_a_passthrough_backend_must_only_answer(status: str, verdict: str) -> None:
    """Its root tells no more than that it is there."""
    finding = await found(always(answer(status)), "passthrough")
    assert finding.verdict == verdict
    assert status[:3] in finding.text


async def resets(peer: Peer) -> None:
    """Read the request and reset the connection."""
    await peer.head()
    peer.reset()


async def speaks_no_http(peer: Peer) -> None:
    """Greet as a mail server does."""
    await peer.send(b"220 mail.example ESMTP\r\n")
    await peer.until_closed()


async def hangs(peer: Peer) -> None:
    """Never answer."""
    await peer.until_closed()


async def hangs_in_the_body(peer: Peer) -> None:
    """Begin an answer and never end it."""
    await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    await peer.until_closed()


FAILURES = {
    "resets": (resets, "does not answer in HTTP: check the port, or whether the URL should start with https://."),
    "no http": (
        speaks_no_http,
        "does not answer in HTTP: check the port, or whether the URL should start with https://.",
    ),
    "hangs": (hangs, "did not answer in time: check that it is the server you mean."),
    "hangs later": (hangs_in_the_body, "did not answer in time: check that it is the server you mean."),
}


@pytest.mark.parametrize("case", list(FAILURES))
async def test_a_server_that_fails_is_explained(case: str) -> None:
    """One sentence with the remedy."""
    script, text = FAILURES[case]
    with RawServer(script) as server:
        finding = await probe("openai", backend(server.url), IMPATIENT)
        assert finding.verdict == "failed"
        assert finding.text.startswith(f"127.0.0.1:{server.port} ")
        assert finding.text.endswith(text)


async def test_a_host_that_does_not_exist_is_explained() -> None:
    """`.invalid` is reserved for names that never resolve (RFC 6761)."""
    finding = await probe("openai", backend("http://no-such-host.invalid/v1"))
    assert (
        finding.text == "The host name in no-such-host.invalid is not known: check its spelling, or this machine's DNS."
    )


async def test_a_closed_port_is_explained() -> None:
    """Whether the host has one address or several."""
    for host in ("127.0.0.1", "localhost"):
        finding = await probe("openai", backend(f"http://{host}:1/v1"))
        assert finding.text == f"Nothing listens at {host}:1: check the port, and that the server is running."


def certified(authority: trustme.CA, name: str, **options: object) -> ssl.SSLContext:
    """A server's side of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, **options).configure_cert(context)  # type: ignore[arg-type]
    return context


async def test_an_unknown_authority_is_explained_and_may_be_overridden() -> None:
    """`verifyTls: false` is the remedy for a test."""
    with RawServer(always(answer("200 OK", models("a"))), certified(trustme.CA(), "127.0.0.1")) as server:
        refused = await probe("openai", backend(server.url))
        taken = await probe("openai", backend(server.url, verifyTls=False))
    assert "is not signed by an authority this machine trusts" in refused.text
    assert (refused.verdict, taken.verdict) == ("failed", "good")


@pytest.mark.parametrize(
    ("name", "age", "text"),
    [("other.example", timedelta(), "is for another host name"), ("127.0.0.1", timedelta(days=2), "has expired")],
    ids=["wrong host", "expired"],
)
async def test_a_wrong_certificate_is_explained(
    name: str, age: timedelta, text: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Signed by an authority that is trusted here, and still not right."""
    authority = trustme.CA()
    file = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    options = {"not_after": datetime.now(UTC) - age} if age else {}
    with RawServer(always(answer("200 OK", models("a"))), certified(authority, name, **options)) as server:
        finding = await probe("openai", backend(server.url, trustEnvironment=True))
    assert text in finding.text


async def takes_no_handshake(peer: Peer) -> None:
    """Answer the first bytes of a TLS handshake as a plain HTTP server does."""
    await peer.reader.read(5)
    await peer.send(answer("400 Bad Request"))


async def test_plain_and_encrypted_taken_for_each_other_are_explained() -> None:
    """https:// for a server without TLS, and the other way round."""
    with RawServer(takes_no_handshake) as server:
        finding = await probe("openai", backend(f"https://127.0.0.1:{server.port}"))
        assert finding.verdict == "failed"
        assert finding.text.endswith("does not speak TLS: start the URL with http://, or give the port that does.")
    with RawServer(always(b""), certified(trustme.CA(), "127.0.0.1")) as server:
        finding = await probe("openai", backend(f"http://127.0.0.1:{server.port}"), IMPATIENT)
        assert finding.verdict == "failed"
        assert finding.text.endswith("or whether the URL should start with https://.")
