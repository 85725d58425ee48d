"""The request log's line is JSON whatever callers put into it."""

import json
import logging
import re
from pathlib import Path

import pytest

from gateway.call import CacheNote, Caller, Outcome, SafetyNote
from gateway.catalog.keys import generate
from gateway.incoming import REQUEST_ID
from gateway.llm.usage import Usage
from gateway.request_log import log_request
from tests.test_pipeline import make_call

KEY = generate()
MODELS = {
    "plain": ("gpt-4o", "gpt-4o"),
    "quotes and line breaks": ('a"b\\c\n{"status":500}', 'a"b\\c\n{"status":500}'),
    "other alphabets": ("模型", "模型"),
    "half a surrogate": ("\ud800", "\ud800"),
    "very long": ("x" * 10_000, "x" * 200),
    "missing": (None, None),
    "a key in the wrong field": (KEY, None),
    "a key with something around it": (f"openai/ {KEY} ", None),
    "an escaped key": (KEY.replace("gw_", "%67w%5F"), None),
    "not quite a key": (KEY[:-1], KEY[:-1]),
}


@pytest.mark.parametrize(("model", "logged"), MODELS.values(), ids=MODELS.keys())
def test_a_line_is_one_json_document(model: str | None, logged: str | None, caplog: pytest.LogCaptureFixture) -> None:
    """One line, one document, whatever the model is called."""
    call = make_call()
    call.model = model
    call.caller = Caller("team")
    with caplog.at_level(logging.INFO, "gateway.request"):
        log_request(call, Outcome(status=200, bytes_sent=5))
    (line,) = caplog.messages
    assert "\n" not in line
    document = json.loads(line)
    assert (document["model"], document["subscription"], document["status"]) == (logged, "team", 200)
    assert set(document) == {
        *("time", "requestId", "method", "api", "operation", "subscription", "product", "model", "promptTokens"),
        *("completionTokens", "cachedTokens", "reasoningTokens", "status", "code", "milliseconds"),
        *("gatewayMilliseconds", "bytesReceived", "bytesSent", "stream", "aborted"),
    }


def test_what_a_cache_did(caplog: pytest.LogCaptureFixture) -> None:
    """More fields, and only where a cache applies."""
    call = make_call()
    call.cache = CacheNote("MISS; loading", "1-a", 0.04321, would_be="HIT; exact", embedding_tokens=7)
    call.cache.embedding_seconds = 0.0125
    with caplog.at_level(logging.INFO, "gateway.request"):
        log_request(call, Outcome(status=200))
    document = json.loads(caplog.messages[0])
    names = ("cache", "cacheWouldBe", "cacheId", "cacheDistance", "embeddingTokens", "embeddingMilliseconds")
    assert [document[name] for name in names] == ["MISS; loading", "HIT; exact", "1-a", 0.0432, 7, 12.5]


def test_what_content_safety_did(caplog: pytest.LogCaptureFixture) -> None:
    """Two fields more, and only where it applies."""
    call = make_call()
    call.safety = SafetyNote("blocked", 0.0305)
    with caplog.at_level(logging.INFO, "gateway.request"):
        log_request(call, Outcome(status=403))
    document = json.loads(caplog.messages[0])
    assert (document["contentSafety"], document["contentSafetyMilliseconds"]) == ("blocked", 30.5)


def test_request_ids_need_no_escapes() -> None:
    """What the log writes unescaped cannot end a JSON string."""
    allowed = "".join(filter(REQUEST_ID.fullmatch, map(chr, range(0x110000))))
    assert json.dumps(allowed) == f'"{allowed}"'


def test_nothing_is_made_when_nobody_reads(caplog: pytest.LogCaptureFixture) -> None:
    """At WARNING the line is not put together."""
    with caplog.at_level(logging.WARNING, "gateway.request"):
        log_request(make_call(), Outcome())
    assert caplog.messages == []


def test_the_tokens_of_a_call(caplog: pytest.LogCaptureFixture) -> None:
    """As the backend reported them; null where it said nothing."""
    silent, telling = make_call(), make_call()
    telling.usage = Usage(19, 10, 7, 4)
    with caplog.at_level(logging.INFO, "gateway.request"):
        log_request(silent, Outcome())
        log_request(telling, Outcome())
    names = ("promptTokens", "completionTokens", "cachedTokens", "reasoningTokens")
    first, second = ([json.loads(line)[name] for name in names] for line in caplog.messages)
    assert (first, second) == ([None] * 4, [19, 10, 7, 4])


def test_every_field_is_described(caplog: pytest.LogCaptureFixture) -> None:
    """The page has a row for each field of the line, in the line's order, and no other."""
    call = make_call()
    call.cache = CacheNote("MISS")
    call.safety = SafetyNote("clean")
    with caplog.at_level(logging.INFO, "gateway.request"):
        log_request(call, Outcome())
    page = (Path(__file__).parents[1] / "docs" / "request-log.md").read_text()
    described = [
        name for row in re.findall(r"^\| (`.+?`) \|", page, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    ]
    assert described == list(json.loads(caplog.messages[0]))
