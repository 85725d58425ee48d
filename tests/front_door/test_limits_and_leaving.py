"""What is charged when a caller leaves within a stream: what was delivered, or, drained, what the backend reports."""

from __future__ import annotations

import json

import httpx2
import pytest

from tests.front_door.system import System, wait_until
from tests.front_door.test_limits_and_storage import get_models, quota_used

API = """
kind: Api
name: {name}
path: {name}
type: openai
backend: model
products: [starter]
tokenLimit:
  counterKey: {name}
  tokenQuota: 1000000
  tokenQuotaPeriod: Yearly
  estimatePromptTokens: true
  onDisconnect: {on_disconnect}
"""

WORDS = 40
BODY = {"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "Say something long"}]}
# OpenAI's recipe: 3 for the message, 1 for its role, 3 of text, 3 for the answer.
PROMPT = 10


def leave_after(system: System, api: str, events: int) -> str:
    """Open a stream, read so many events with text, and go; returns the text."""
    text = ""
    headers = {
        "api-key": system.keys["team"],
        "x-stand-in-words": str(WORDS),
        "x-stand-in-chunk-delay": "0.05",
        "x-request-id": api,
    }
    url = f"{system.url}/{api}/chat/completions"
    with httpx2.stream("POST", url, headers=headers, json=BODY, timeout=30) as stream:
        for line in stream.iter_lines():
            if line.startswith("data: {") and (choices := json.loads(line[6:])["choices"]):
                piece = choices[0]["delta"].get("content") or ""
                text += piece
                events -= bool(piece)
            if events <= 0:
                break
    return text


@pytest.mark.parametrize("on_disconnect", ["stop", "drain"])
def test_leaving(system: System, on_disconnect: str) -> None:
    """To the token, and not a token of it twice."""
    name = f"leaving-{on_disconnect}"
    system.apply(API.format(name=name, on_disconnect=on_disconnect))
    wait_until(lambda: get_models(system, name) == 200)
    text = leave_after(system, name, 8)
    assert text

    if on_disconnect == "drain":
        # The backend says how long the answer would have been: the stand-in counts words, and the prompt's as well.
        whole = httpx2.post(
            f"{system.url}/openai/chat/completions",
            headers={"api-key": system.keys["team"], "x-stand-in-words": str(WORDS)},
            json={**BODY, "stream": False},
            timeout=30,
        ).json()
        expected = whole["usage"]["total_tokens"]
        wait_until(lambda: quota_used(system, name) == expected)
    else:
        logged = system.log_of(name)
        assert logged["aborted"] is True
        assert logged["promptTokens"] == PROMPT
        # More may have been sent than was read, but not the whole answer.
        assert len(text.split()) <= logged["completionTokens"] < WORDS
        expected = logged["promptTokens"] + logged["completionTokens"]
        wait_until(lambda: quota_used(system, name) == expected)
