"""The request log's line is JSON whatever callers put into it."""

import json
import logging

import pytest

from gateway.app import REQUEST_ID
from gateway.call import Caller, Outcome
from gateway.catalog.keys import generate
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
        "time", "requestId", "method", "api", "operation", "subscription", "product", "model", "status", "code",
        "milliseconds", "gatewayMilliseconds", "bytesReceived", "bytesSent", "stream", "aborted",
    }  # fmt: skip


def test_request_ids_need_no_escapes() -> None:
    """What the log writes unescaped cannot end a JSON string."""
    allowed = "".join(filter(REQUEST_ID.fullmatch, map(chr, range(0x110000))))
    assert json.dumps(allowed) == f'"{allowed}"'


def test_nothing_is_made_when_nobody_reads(caplog: pytest.LogCaptureFixture) -> None:
    """At WARNING the line is not put together."""
    with caplog.at_level(logging.WARNING, "gateway.request"):
        log_request(make_call(), Outcome())
    assert caplog.messages == []
