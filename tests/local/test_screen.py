"""local/screen.py: what a person reads while the gateway runs."""

from __future__ import annotations

import json

from local.example import REQUEST_ID
from local.screen import greeting, readable

REQUEST = {
    "time": "2026-01-02T03:04:05.678+00:00",
    "requestId": "abc",
    "method": "POST",
    "api": "openai",
    "operation": "chat/completions",
    "subscription": "demo",
    "product": "starter",
    "model": "stand-in",
    "status": 200,
    "code": None,
    "milliseconds": 12.34,
    "gatewayMilliseconds": 0.91,
    "bytesReceived": 80,
    "bytesSent": 1234,
    "stream": True,
    "aborted": False,
}


def test_a_request_is_one_readable_line() -> None:
    """Time, method, what was asked for, status, duration, size and who asked."""
    line = "03:04:05  POST  openai chat/completions  200  12.3 ms (gateway 0.9)  1,234 bytes  demo  stand-in  stream"
    assert readable(json.dumps(REQUEST)) == line


def test_what_a_logger_puts_before_the_line_is_left_out() -> None:
    """Some hosts write a level and a logger's name first."""
    assert readable("INFO gateway.request: " + json.dumps(REQUEST)) == readable(json.dumps(REQUEST))


def test_a_refusal_names_its_code() -> None:
    """Requests that reached no API are shown as such."""
    refused = {**REQUEST, "api": None, "operation": None, "status": 404, "code": "OperationNotFound"}
    shown = readable(json.dumps(refused))
    assert shown is not None
    assert "(no API)  404" in shown
    assert "OperationNotFound" in shown


def test_our_own_probe_is_not_shown() -> None:
    """`make run` checks the key before it greets; that is not the person's request."""
    assert readable(json.dumps({**REQUEST, "requestId": REQUEST_ID})) is None


def test_other_lines_come_through_as_they_are() -> None:
    """A warning, a traceback, or JSON that is not a request."""
    for line in ("storage cannot be reached", '{"time": "broken', '{"time": "x", "level": "info"}', ""):
        assert readable(line) == line


def test_the_greeting_has_the_url_the_key_and_both_examples() -> None:
    """Lines to paste start at the margin, and the Python example has five of them."""
    text = greeting("http://127.0.0.1:7071", "gw_1", "stand-in")
    python = text[text.index("from openai import OpenAI") :].split("\n\n")[0]
    assert len(python.splitlines()) == 5
    compile(python, "example", "exec")
    assert '\ncurl http://127.0.0.1:7071/openai/chat/completions \\\n  -H "Authorization: Bearer gw_1"' in text
