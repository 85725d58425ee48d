"""Two gateways on the same tables, started as docs/limits.md says: what one has used, the other has not left."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from local.processes import REPOSITORY, Process
from tests.front_door.system import System, wait_until

COMMAND = ("-m", "local.host", "--settings")
SETTINGS = "local.settings.json"

LIMITED = """
kind: Api
name: two
path: two
type: openai
backend: model
products: [starter]
tokenLimit: {counterKey: subscription+api, tokenQuota: 400, tokenQuotaPeriod: Yearly, estimatePromptTokens: true}
"""


@pytest.fixture
def second(system: System, tmp_path: Path) -> Iterator[str]:
    """The URL of another gateway, with settings from a file, as `make run` writes it."""
    settings = tmp_path / SETTINGS
    settings.write_text(json.dumps({"IsEncrypted": False, "Values": system.environment}))
    command = [sys.executable, *COMMAND, str(settings), "--port", "0"]
    environment = {"PATH": system.environment["PATH"], "PYTHONPATH": str(REPOSITORY)}
    host = Process("second host", command, environment, system.lines.append)
    host.start()
    try:
        yield str(json.loads(host.wait_for_line(lambda line: line.startswith('{"url"'), 30))["url"])
    finally:
        host.stop()


def models(system: System, url: str) -> int:
    return httpx2.get(f"{url}/two/models", headers={"api-key": system.keys["team"]}, timeout=30).status_code


def chat(system: System, url: str) -> httpx2.Response:
    body = {"model": "stand-in", "messages": [{"role": "user", "content": "Say hello to the whole world"}]}
    return httpx2.post(f"{url}/two/chat/completions", headers={"api-key": system.keys["team"]}, json=body, timeout=30)


def test_two_gateways_share_their_counters(system: System, second: str) -> None:
    """Calls in turn: both are refused when both together have used the quota."""
    system.apply(LIMITED)
    for url in (system.url, second):
        wait_until(lambda url=url: models(system, url) == 200)
    used, refused = 0, set[str]()
    while len(refused) < 2:
        for url in (system.url, second):
            answer = chat(system, url)
            if answer.status_code == 200:
                used += answer.json()["usage"]["total_tokens"]
                least = int(answer.headers["x-ratelimit-remaining-tokens"])
            else:
                assert answer.json()["error"]["code"] == "token_quota_exceeded"
                refused.add(url)
    assert least < 100
    # The last answer may be longer than what was left: what was reserved is its prompt.
    assert 300 < used < 500


def test_the_guide_says_how() -> None:
    """The command that the documents give is the one that was tried."""
    assert f".venv/bin/python {' '.join(COMMAND)} {SETTINGS} --port 7072" in (REPOSITORY / "docs/limits.md").read_text()
