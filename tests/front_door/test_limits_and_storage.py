"""Limits and their storage: what stands in it when the process stops, and what happens while it is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from gateway.ledger.meters import meter_named
from gateway.ledger.record import Record
from gateway.settings import Settings
from gateway.storage.ledger import LedgerStore
from gateway.storage.tables import Tables
from tests.front_door.system import System, wait_until

LIMITED = """
kind: Api
name: {name}
path: {name}
type: openai
backend: model
products: [starter]
tokenLimit:
  - counterKey: {name}
    tokensPerMinute: 300
    tokenQuota: 1000000
    tokenQuotaPeriod: Yearly
    estimatePromptTokens: true
    onUnavailable: {on_unavailable}
"""

MESSAGES = [{"role": "user", "content": "Say hello to the whole world"}]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[System]:
    """A system of this test's own, with an API that goes on without storage and one that does not."""
    running = System(storage=tmp_path)
    try:
        running.start()
        for name in ("allow", "deny"):
            running.apply(LIMITED.format(name=name, on_unavailable=name))
        wait_until(lambda: get_models(running, "deny") == 200)
        yield running
    finally:
        running.stop()


def get_models(system: System, api: str) -> int:
    return httpx2.get(f"{system.url}/{api}/models", headers={"api-key": system.keys["team"]}, timeout=30).status_code


def chat(system: System, api: str) -> httpx2.Response:
    body = {"model": "stand-in", "messages": MESSAGES}
    headers = {"api-key": system.keys["team"]}
    return httpx2.post(f"{system.url}/{api}/chat/completions", headers=headers, json=body, timeout=30)


def quota_used(system: System, key: str) -> int:
    """What the counter's record says of the year."""

    async def read() -> int:
        tables = Tables(Settings.from_environment(system.environment))
        try:
            stored = await LedgerStore(tables).read(key)
        finally:
            await tables.aclose()
        assert stored is not None
        return sum(Record.from_text(stored.text).count(meter_named("tokens/Yearly")).slots.values())

    return asyncio.run(read())


def used(answers: list[httpx2.Response]) -> int:
    return sum(answer.json()["usage"]["total_tokens"] for answer in answers if answer.status_code == 200)


def test_a_stop_gives_everything_back(own: System) -> None:
    """When the process has stopped, the record holds what was used, to the token, and no lease."""
    answers = [chat(own, "allow") for _ in range(5)]
    own._host.stop()
    assert quota_used(own, "allow") == used(answers) > 0


def test_storage_goes_away_and_comes_back(own: System) -> None:
    """`allow` serves on, up to the limit, and settles later; `deny` answers 503 and says why."""
    answers = [chat(own, "allow") for _ in range(2)]
    assert chat(own, "deny").status_code == 200
    own.azurite.stop()
    wait_until(lambda: chat(own, "deny").status_code == 503)
    refused = chat(own, "deny")
    assert refused.json()["error"]["code"] == "ledger_unavailable"
    assert refused.headers["retry-after"]
    while (answer := chat(own, "allow")).status_code == 200:
        answers.append(answer)
    assert answer.json()["error"]["code"] == "token_limit_exceeded"
    # The last answer may be longer than what was left: what was reserved is its prompt.
    assert 300 - used(answers[-1:]) < used(answers) <= 300 + used(answers[-1:])
    said = "calls are counted by this instance alone for now, or refused where onUnavailable is deny"
    assert any(said in line for line in own.lines)
    own.azurite.start()
    wait_until(lambda: quota_used(own, "allow") == used(answers), 30)
    wait_until(lambda: chat(own, "deny").status_code == 200)
    assert "AccountKey" not in json.dumps(own.lines)
