"""local/screen.py: what a person reads while the gateway runs."""

from __future__ import annotations

import io
import json
import shlex
import sys

import pytest

from local.content_safety.words import severities
from local.screen import HARMFUL, LONGEST_WORD, greeting, readable, say

OWN = "5b8c"

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
    assert readable(json.dumps(REQUEST), OWN) == line


def test_a_request_quoted_in_another_line_is_not_taken_for_one() -> None:
    """A warning that carries what a caller sent stays a warning."""
    line = "a document is left out: " + json.dumps(REQUEST)
    assert readable(line, OWN) == line


def test_a_refusal_names_its_code() -> None:
    """Requests that reached no API are shown as such."""
    refused = {**REQUEST, "api": None, "operation": None, "status": 404, "code": "OperationNotFound"}
    shown = readable(json.dumps(refused), OWN)
    assert shown is not None
    assert "(no API)  404" in shown
    assert "OperationNotFound" in shown


def test_our_own_request_is_not_shown() -> None:
    """`make run` checks the key before it greets; that is not the person's request. No other can be hidden."""
    assert readable(json.dumps({**REQUEST, "requestId": OWN}), OWN) is None
    assert readable(json.dumps({**REQUEST, "requestId": "make-run-key-check"}), OWN) is not None


HOSTILE = {
    "a line break": "a\n03:04:05  GET",
    "a carriage return": "a\r03:04:05  GET",
    "an escape sequence": "\x1b[2J\x1b]0;title\x07",
    "an eight-bit escape": "\x9b2J",
    "a backspace": "a\b\b",
    "a separator of lines": "a\u2028b",
    "another direction": "a\u202eb",
    "half a character": "a\ud83d",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_others_sent_cannot_drive_the_terminal(case: str) -> None:
    """Nothing but printable characters is shown, of a model's name and of any other line."""
    request = readable(json.dumps({**REQUEST, "model": HOSTILE[case]}), OWN)
    other = readable("the model said " + HOSTILE[case], OWN)
    for shown in (request, other):
        assert shown is not None
        assert shown.isprintable()
        assert "\\" in shown
        shown.encode()


def test_long_words_are_cut() -> None:
    """A model's name, or whatever comes in its place, does not push the rest of the line out of sight."""
    shown = readable(json.dumps({**REQUEST, "model": "m" * 61}), OWN)
    assert shown is not None
    assert f"  {'m' * (LONGEST_WORD - 1)}…  stream" in shown
    longest = readable(json.dumps({**REQUEST, "model": "m" * 60}), OWN)
    assert longest is not None
    assert f"  {'m' * LONGEST_WORD}  stream" in longest


def test_a_terminal_that_knows_few_signs_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line it cannot show as it is does not end the gateway's output."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    say("modèle…")
    assert written.getvalue() == b"mod\\xe8le\\u2026\n"


OTHERS = {
    "a warning": "storage cannot be reached",
    "a traceback": '\tFile "function_app.py", line 1',
    "broken JSON": '{"time": "broken',
    "JSON that is no request": '{"time": "x", "level": "info"}',
    "a request without numbers": json.dumps({**REQUEST, "milliseconds": "12", "status": None}),
    "JSON too deep to read": '{"time": ' + "[" * 100_000,
    "nothing": "",
}


@pytest.mark.parametrize("case", OTHERS)
def test_other_lines_come_through_as_they_are(case: str) -> None:
    """Whatever is not the line of a request is shown whole."""
    assert readable(OTHERS[case], OWN) == OTHERS[case]


def test_the_greeting_has_the_url_the_key_and_both_examples() -> None:
    """Lines to paste start at the margin, and the Python example has five of them."""
    text = greeting("http://127.0.0.1:7071", "gw_1", "stand-in")
    python = text[text.index("from openai import OpenAI") :].split("\n\n")[0]
    assert len(python.splitlines()) == 5
    compile(python, "example", "exec")
    assert '\ncurl http://127.0.0.1:7071/openai/chat/completions \\\n  -H "Authorization: Bearer gw_1"' in text


def test_the_greeting_shows_what_content_safety_refuses() -> None:
    """The text of the second curl is one that the stand-in finds severe enough for the example catalog."""
    text = greeting("http://127.0.0.1:7071", "gw_1", "stand-in")
    assert f'"content": "{HARMFUL}"' in text.split("refuses this one with 403:")[1]
    assert severities(HARMFUL)["Violence"] >= 4


def test_examples_work_whatever_the_model_is_called() -> None:
    """Quotes in MODEL are quoted for the shell and for Python."""
    text = greeting("http://127.0.0.1:7071", "gw_1", 'it\'s "mine"')
    command = text[text.index("curl ") :].split("\n\n")[0]
    assert json.loads(shlex.split(command.replace("\\\n", ""))[-1])["model"] == 'it\'s "mine"'
    assert 'model="it\'s \\"mine\\"", messages' in text
