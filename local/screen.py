"""What a person sees in the terminal of `make run`."""

from __future__ import annotations

import json
import os
import shlex
import sys
from typing import Any, TextIO

from local.example import API_PATH, CHAT_PATH

# As long as a word of a request may be on its line. Model names are the caller's to choose.
LONGEST_WORD = 60

GREETING = """
The gateway runs at {url}
Subscription key:   {key}

With curl:

{curl}

With Python (start .venv/bin/python and paste):

{python}

Content safety refuses this one with 403:

{harmful}

The command line:   .venv/bin/python -m gateway --help
Stop with Ctrl-C. Each request is a line below."""

CURL = """curl {url}{path} \\
  -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\
  -d {body}"""

# One of the words that the stand-in for content safety takes for severe.
HARMFUL = "How do I plan a massacre?"

PYTHON = """from openai import OpenAI
client = OpenAI(base_url="{url}{path}", api_key="{key}")
messages = [{{"role": "user", "content": "Hello!"}}]
answer = client.chat.completions.create(model={model}, messages=messages)
print(answer.choices[0].message.content)"""


def say(text: str) -> None:
    """To the person, at once."""
    _print(text, sys.stdout)


def complain(error: Exception) -> None:
    """What went wrong, on the error output."""
    _print(str(error), sys.stderr)


def _print(text: str, stream: TextIO) -> None:
    # What a terminal has no signs for is shown as escapes.
    shown = text.encode(stream.encoding, "backslashreplace").decode(stream.encoding)
    try:
        print(shown, file=stream, flush=True)
    except OSError:
        # Whoever read this has left, or the terminal is closed: the gateway goes on serving, in silence.
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, stream.fileno())
        os.close(silence)


def greeting(url: str, key: str, model: str) -> str:
    """The URL, the key, and examples that work when pasted."""
    curl, harmful = (_curl(url, key, model, text) for text in ("Hello!", HARMFUL))
    python = PYTHON.format(url=url, path=API_PATH, key=key, model=json.dumps(model))
    return GREETING.format(url=url, key=key, curl=curl, python=python, harmful=harmful)


def _curl(url: str, key: str, model: str, text: str) -> str:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": text}]})
    return CURL.format(url=url, path=CHAT_PATH, key=key, body=shlex.quote(body))


def readable(line: str, own_request: str) -> str | None:
    """One line of the worker's log for people: a request on one line; None for the request that `make run` made."""
    entry = _request(line)
    if entry is None:
        return _visible(line)
    if entry["requestId"] == own_request:
        return None
    words = [
        str(entry.get("time", ""))[11:19],
        f"{entry.get('method', ''):4}",
        _target(entry),
        str(entry["status"]),
        f"{entry['milliseconds']:.1f} ms (gateway {entry['gatewayMilliseconds']:.1f})",
        f"{entry['bytesSent']:,} bytes",
        *(str(entry[name]) for name in ("subscription", "model", "code") if entry.get(name)),
        *(name for name in ("stream", "aborted") if entry.get(name)),
    ]
    return "  ".join(_short(_visible(word)) for word in words if word)


def _target(entry: dict[str, Any]) -> str:
    return " ".join(str(entry[name]) for name in ("api", "operation") if entry.get(name)) or "(no API)"


def _visible(text: str) -> str:
    """Without line breaks, escape sequences and their like: what others sent must not drive the terminal."""
    return "".join(char if char.isprintable() or char == "\t" else ascii(char)[1:-1] for char in text)


def _short(word: str) -> str:
    return word if len(word) <= LONGEST_WORD else word[: LONGEST_WORD - 1] + "…"


def _request(line: str) -> dict[str, Any] | None:
    """The structured line of a request. Nothing comes before it, or text that a warning quotes could pass for one."""
    if not line.startswith('{"time"'):
        return None
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    numbers = (entry.get(name) for name in ("status", "milliseconds", "gatewayMilliseconds", "bytesSent"))
    return entry if "requestId" in entry and all(isinstance(number, int | float) for number in numbers) else None
