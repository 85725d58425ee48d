"""What a person sees in the terminal of `make run`."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, TextIO

from local.example import API_PATH, CHAT_PATH, REQUEST_ID

GREETING = """
The gateway runs at {url}
Subscription key:   {key}

With curl:

{curl}

With Python (start .venv/bin/python and paste):

{python}

The command line:   .venv/bin/python -m gateway --help
Stop with Ctrl-C. Each request is a line below."""

CURL = """curl {url}{path} \\
  -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\
  -d '{body}'"""

PYTHON = """from openai import OpenAI
client = OpenAI(base_url="{url}{path}", api_key="{key}")
messages = [{{"role": "user", "content": "Hello!"}}]
answer = client.chat.completions.create(model="{model}", messages=messages)
print(answer.choices[0].message.content)"""


def say(text: str) -> None:
    """To the person, at once."""
    _print(text, sys.stdout)


def complain(error: Exception) -> None:
    """What went wrong, on the error output."""
    _print(str(error), sys.stderr)


def _print(text: str, stream: TextIO) -> None:
    try:
        print(text, file=stream, flush=True)
    except OSError:
        # Whoever read this has left, or the terminal is closed: the gateway goes on serving, in silence.
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, stream.fileno())
        os.close(silence)


def greeting(url: str, key: str, model: str) -> str:
    """The URL, the key, and two examples that work when pasted."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello!"}]})
    curl = CURL.format(url=url, path=CHAT_PATH, key=key, body=body)
    python = PYTHON.format(url=url, path=API_PATH, key=key, model=model)
    return GREETING.format(url=url, key=key, curl=curl, python=python)


def readable(line: str) -> str | None:
    """One line of the worker's log for people: a request on one line; None for what `make run` did itself."""
    entry = _request(line)
    if entry is None:
        return line
    if entry["requestId"] == REQUEST_ID:
        return None
    words = [
        str(entry.get("time", ""))[11:19],
        f"{entry.get('method', ''):4}",
        _target(entry),
        str(entry["status"]),
        f"{entry['milliseconds']:.1f} ms (gateway {entry.get('gatewayMilliseconds', 0):.1f})",
        f"{entry.get('bytesSent', 0):,} bytes",
        *(str(entry[name]) for name in ("subscription", "model", "code") if entry.get(name)),
        *(name for name in ("stream", "aborted") if entry.get(name)),
    ]
    return "  ".join(word for word in words if word)


def _target(entry: dict[str, Any]) -> str:
    return " ".join(str(entry[name]) for name in ("api", "operation") if entry.get(name)) or "(no API)"


def _request(line: str) -> dict[str, Any] | None:
    """The structured request line in this text, whatever a logger has put before it."""
    start = line.find('{"time"')
    if start < 0:
        return None
    try:
        entry = json.loads(line[start:])
    except ValueError:
        return None
    return entry if {"requestId", "status", "milliseconds"} <= entry.keys() else None
