"""The client asks as the backend says, through the SDK where there is one, and believes only what it can read."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.backends.client import BackendClient
from gateway.backends.credentials import ManagedIdentity
from gateway.catalog.backend_settings import BackendSettings
from gateway.catalog.snapshot import ResolvedBackend
from gateway.safety.client import SafetyClient
from gateway.safety.verdict import ScreeningUnavailable
from local.content_safety import SafetyServer
from tests.backends.exchanges import always
from tests.backends.raw_server import RawServer

LEVELS = "FourSeverityLevels"
BOTH = ("Hate", "Violence")
HARMLESS = b'{"categoriesAnalysis":[{"category":"Hate","severity":0}]}'
KEY = {"header": "Ocp-Apim-Subscription-Key", "value": "{{key}}"}


@pytest.fixture
async def sender() -> AsyncIterator[BackendClient]:
    made = BackendClient(ManagedIdentity(None), 100)
    yield made
    await made.aclose()


def client_of(sender: BackendClient, url: str, credentials: dict[str, Any] = KEY) -> SafetyClient:
    settings = BackendSettings.model_validate({"url": url, "credentials": credentials})
    return SafetyClient(sender, ResolvedBackend("safety", settings, "safety-key"))


def answer(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


async def test_the_sdks_requests_are_the_backends(sender: BackendClient) -> None:
    """Its path, its credential, one connection, and nothing about this machine."""
    with RawServer(always(answer(HARMLESS))) as server:
        client = client_of(sender, f"{server.url}/below", {"header": "api-key", "value": "{{key}}"})
        for _ in range(2):
            await client.analyze_text("Hello", ("Hate",), LEVELS, ())
        request = server.requests[0]
        assert (len(server.requests), server.connections) == (2, 1)
        assert request.target == b"/below/contentsafety/text:analyze?api-version=2024-09-01"
        sent = dict(line.lower().split(b": ") for line in request.head.split(b"\r\n")[1:] if line)
        assert sent == {
            b"host": server.url.removeprefix("http://").encode(),
            b"api-key": b"safety-key",
            b"content-type": b"application/json",
            b"accept": b"application/json",
            b"accept-encoding": b"identity",
            b"content-length": b"%d" % len(request.body),
        }


async def test_texts_and_pictures_are_asked_for_in_full(sender: BackendClient, safety: SafetyServer) -> None:
    """Whatever the text is made of; half a surrogate pair is replaced, two make a letter."""
    client = client_of(sender, safety.url)
    safety.blocklists.put("brands", "Contoso")
    text = "é 😀 \ud83d\ude00 \ud83d Contoso"
    assert (await client.analyze_text(text, BOTH, "EightSeverityLevels", ("brands",))).listed
    assert not (await client.analyze_text("Hello", ("Hate",), LEVELS, ("brands",))).listed
    picture = await client.analyze_image(b"\x89PNG of a massacre", BOTH)
    assert picture.severities == {"Hate": 0, "Violence": 6}
    assert safety.asked("text:analyze")[0] == {
        "text": "é 😀 😀 \ufffd Contoso",
        "categories": list(BOTH),
        "outputType": "EightSeverityLevels",
        "blocklistNames": ["brands"],
    }


HATE = {"category": "Hate", "severity": 2}
STRANGE: dict[str, Any] = {
    "HTML": None,
    "a list": [],
    "a text": "Hate",
    "a number": 5,
    "empty": {},
    "null analyses": {"categoriesAnalysis": None},
    "a text of analyses": {"categoriesAnalysis": "Hate"},
    "a number of analyses": {"categoriesAnalysis": 5},
    "an object of analyses": {"categoriesAnalysis": HATE},
    "a list of numbers": {"categoriesAnalysis": [5]},
    "a list of null": {"categoriesAnalysis": [None]},
    "a category alone": {"categoriesAnalysis": [HATE]},
    "another category": {"categoriesAnalysis": [HATE, {"category": "Spite", "severity": 0}]},
    "a category that is none": {"categoriesAnalysis": [HATE, {"category": ["Violence"], "severity": 0}]},
    "no severity": {"categoriesAnalysis": [HATE, {"category": "Violence"}]},
    "a severity of text": {"categoriesAnalysis": [HATE, {"category": "Violence", "severity": "0"}]},
    "a severity of truth": {"categoriesAnalysis": [HATE, {"category": "Violence", "severity": True}]},
    "half a severity": {"categoriesAnalysis": [HATE, {"category": "Violence", "severity": 0.5}]},
    "a severity of 8": {"categoriesAnalysis": [HATE, {"category": "Violence", "severity": 8}]},
}


@pytest.mark.parametrize("name", STRANGE)
async def test_what_is_no_analysis_is_unreadable(sender: BackendClient, safety: SafetyServer, name: str) -> None:
    """Of texts and of pictures: never clean, and never a violation."""
    client = client_of(sender, safety.url)
    if STRANGE[name] is None:
        safety.fail(html=True, times=2)
    else:
        safety.fail(answer=STRANGE[name], times=2)
    for asking in (client.analyze_text("Hello", BOTH, LEVELS, ()), client.analyze_image(b"PNG", BOTH)):
        with pytest.raises(ScreeningUnavailable) as failed:
            await asking
        assert failed.value.reason == "unreadable"


MATCHES = [None, "Contoso", 5, {"blocklistName": "brands"}, [5]]


@pytest.mark.parametrize("matches", MATCHES, ids=str)
async def test_what_is_no_list_of_matches_is_unreadable(
    sender: BackendClient, safety: SafetyServer, matches: Any
) -> None:
    """Where blocklists are asked for; elsewhere nobody looks at it."""
    client = client_of(sender, safety.url)
    safety.fail(answer={"categoriesAnalysis": [HATE], "blocklistsMatch": matches})
    with pytest.raises(ScreeningUnavailable) as failed:
        await client.analyze_text("Hello", ("Hate",), LEVELS, ("brands",))
    assert failed.value.reason == "unreadable"


async def test_a_severity_without_a_limit_is_ignored(sender: BackendClient, safety: SafetyServer) -> None:
    """A category that comes with a later version harms no one who has not asked for it."""
    safety.fail(answer={"categoriesAnalysis": [{"category": "Spite", "severity": 6}, HATE]})
    scores = await client_of(sender, safety.url).analyze_text("Hello", ("Hate",), LEVELS, ())
    assert scores.severities == {"Hate": 2}
