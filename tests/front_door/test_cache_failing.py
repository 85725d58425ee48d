"""The cache when something fails, or is shared: crowds, leaders who leave, storage, time, rows, models, instances."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.settings import Settings
from gateway.storage.tables import Put, Tables
from local.processes import REPOSITORY, Process
from tests.front_door.system import System, wait_until

CACHED = """
kind: Api
name: {name}
path: {name}
type: openai
backend: model
products: [starter]
semanticCache:
  embeddings: {{backend: model, model: {model}, dimensions: {dimensions}}}
  scoreThreshold: 0.4
  embeddingTimeout: 5
  duration: {duration}
"""
CROWD = 1_000


class Cached:
    """A system of its own, with storage that outlives Azurite, and a second gateway where a test wants one."""

    def __init__(self, system: System, folder: Path) -> None:
        self.system = system
        self._folder = folder
        self._second: Process | None = None

    def api(self, name: str, *, model: str = "stand-in-embeddings", dimensions: int = 64, duration: int = 3600) -> str:
        """Write an API with a cache; returns its URL once its embeddings work."""
        self.system.apply(CACHED.format(name=name, model=model, dimensions=dimensions, duration=duration))
        url = f"{self.system.url}/{name}"
        self.wait_until_warm(url)
        return url

    def wait_until_warm(self, url: str) -> None:
        """The first call has the client of the embeddings loaded."""
        wait_until(lambda: self.ask(url, str(uuid.uuid4())).headers.get("x-cache") == "MISS")

    def ask(self, url: str, text: str, **headers: str) -> httpx2.Response:
        """A chat completion."""
        sent = {"api-key": self.system.keys["team"], **{name.replace("_", "-"): headers[name] for name in headers}}
        return httpx2.post(f"{url}/chat/completions", headers=sent, json=body(text), timeout=30)

    def completions(self) -> int:
        """How often the backend was asked for one."""
        return int(self.system.model.stats()["byPath"].get("/v1/chat/completions", 0))

    def start_second(self) -> str:
        """Another gateway on the same storage; returns its URL."""
        settings = self._folder / "second.settings.json"
        settings.write_text(json.dumps({"Values": self.system.environment}))
        command = [sys.executable, "-m", "local.host", "--settings", str(settings), "--port", "0"]
        environment = {"PATH": self.system.environment["PATH"], "PYTHONPATH": str(REPOSITORY)}
        self._second = Process("second host", command, environment, self.system.lines.append)
        self._second.start()
        return str(json.loads(self._second.wait_for_line(lambda line: line.startswith('{"url"'), 30))["url"])

    def rows(self) -> list[dict[str, Any]]:
        """The answers in the table."""

        async def read() -> list[dict[str, Any]]:
            tables = Tables(Settings.from_environment(self.system.environment))
            try:
                pages = tables.table("gatewaycache").pages()
                return [dict(row.values) async for page in pages for row in page if "exact" in row.values]
            finally:
                await tables.aclose()

        return asyncio.run(read())

    def put(self, entity: dict[str, Any]) -> None:
        """Write a row."""

        async def write() -> None:
            tables = Tables(Settings.from_environment(self.system.environment))
            try:
                await tables.table("gatewaycache").put(Put(entity))
            finally:
                await tables.aclose()

        asyncio.run(write())

    def stop(self) -> None:
        """Everything."""
        if self._second is not None:
            self._second.stop()
        self.system.stop()


def body(text: str) -> dict[str, Any]:
    return {"model": "stand-in", "messages": [{"role": "user", "content": text}]}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cached]:
    """For tests that leave it as it was."""
    yield from _running(tmp_path_factory.mktemp("cached"))


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Cached]:
    """For tests that stop its parts."""
    yield from _running(tmp_path)


def _running(folder: Path) -> Iterator[Cached]:
    made = Cached(System(storage=folder), folder)
    try:
        made.system.start()
        yield made
    finally:
        made.stop()


def test_a_thousand_at_once_are_one_call(shared: Cached) -> None:
    """On a thousand connections."""
    url = shared.api("crowd")
    before = shared.completions()

    async def ask_all() -> list[httpx2.Response]:
        limits = httpx2.Limits(max_connections=CROWD, max_keepalive_connections=0)
        headers = {"api-key": shared.system.keys["team"], "x-stand-in-delay": "1.5"}
        async with httpx2.AsyncClient(limits=limits, headers=headers, timeout=60) as client:
            calls = [client.post(f"{url}/chat/completions", json=body("All of you?")) for _ in range(CROWD)]
            return await asyncio.gather(*calls)

    answers = asyncio.run(ask_all())
    assert {answer.status_code for answer in answers} == {200}
    assert shared.completions() - before == 1
    said = [answer.headers["x-cache"] for answer in answers]
    assert said.count("MISS") == 1
    assert said.count("HIT; exact") == CROWD - 1
    assert len({answer.json()["choices"][0]["message"]["content"] for answer in answers}) == 1


def test_a_leader_who_leaves(shared: Cached) -> None:
    """The others get the answer of the call that it began; the backend hears of one."""
    url = shared.api("leader")
    before = shared.completions()
    headers = {"api-key": shared.system.keys["team"], "x-stand-in-delay": "1"}
    with ThreadPoolExecutor(4) as pool:
        with pytest.raises(httpx2.ReadTimeout):
            httpx2.post(f"{url}/chat/completions", headers=headers, json=body("Who leaves?"), timeout=0.3)
        answers = list(pool.map(lambda _: shared.ask(url, "Who leaves?", x_stand_in_delay="1"), range(4)))
    assert {answer.status_code for answer in answers} == {200}
    said = sorted(answer.headers["x-cache"] for answer in answers)
    # Whether the call outlives its leader until the others come is a matter of milliseconds; more than one more is not.
    assert shared.completions() - before <= 2
    assert said[:3] == ["HIT; exact"] * 3


def test_followers_whose_leader_leaves(shared: Cached) -> None:
    """They are there already: one call serves them all."""
    url = shared.api("followers")
    before = shared.completions()
    with ThreadPoolExecutor(5) as pool:
        headers = {"api-key": shared.system.keys["team"], "x-stand-in-delay": "1.5"}

        def lead() -> None:
            with pytest.raises(httpx2.ReadTimeout):
                httpx2.post(f"{url}/chat/completions", headers=headers, json=body("Who follows?"), timeout=1)

        leading = pool.submit(lead)
        wait_until(lambda: shared.completions() - before == 1)
        answers = list(pool.map(lambda _: shared.ask(url, "Who follows?", x_stand_in_delay="1.5"), range(4)))
        leading.result()
    assert [(answer.status_code, answer.headers["x-cache"]) for answer in answers] == [(200, "HIT; exact")] * 4
    assert shared.completions() - before == 1


def test_the_clock_crosses_expiry(shared: Cached) -> None:
    """An answer is served for `duration` seconds, with its age, and never after."""
    url = shared.api("expiry", duration=2)
    assert shared.ask(url, "How long?").headers["x-cache"] == "MISS"
    ages: list[int] = []

    def is_over() -> bool:
        answer = shared.ask(url, "How long?")
        if answer.headers["x-cache"] == "HIT; exact":
            ages.append(int(answer.headers["age"]))
        return answer.headers["x-cache"] == "MISS"

    wait_until(is_over)
    assert ages
    assert max(ages) <= 2


def test_another_embeddings_model(shared: Cached) -> None:
    """What the one model placed is not looked for among what the other one places."""
    url = shared.api("models")
    first = shared.ask(url, "How do I boil an egg?")
    assert first.headers["x-cache"] == "MISS"
    assert shared.ask(url, "How can I boil an egg?").headers["x-cache"] == "HIT; semantic"
    shared.ask(url, "Which model is it?")
    shared.api("models", model="another-model")
    wait_until(lambda: shared.ask(url, "Which model is it?").headers["x-cache"] != "HIT; exact")
    shared.wait_until_warm(url)
    assert shared.ask(url, "How can I boil an egg?").headers["x-cache"] == "MISS"
    assert shared.ask(url, "Where do penguins sleep?").headers["x-cache"] == "MISS"
    assert shared.ask(url, "Where do the penguins sleep?").headers["x-cache"] == "HIT; semantic"


def test_the_first_question_of_a_process(shared: Cached) -> None:
    """It is asked before the embeddings' client is loaded, and found by its meaning once that is there."""
    shared.system.apply(CACHED.format(name="first", model="stand-in-embeddings", dimensions=32, duration=3600))
    url = f"{shared.system.url}/first"
    wait_until(lambda: shared.ask(url, "How do I boil an egg?").status_code == 200)
    wait_until(lambda: shared.ask(url, "How can I boil an egg?").headers["x-cache"] == "HIT; semantic")


def test_two_instances_and_a_corrupt_row(own: Cached) -> None:
    """What one has kept the other serves; a row that makes no sense is a miss there, and no error."""
    url = own.api("two")
    first = own.ask(url, "What do they share?")
    own.ask(url, "What is broken?")
    wait_until(lambda: len([row for row in own.rows() if row["api"] == "two"]) >= 3)
    broken = own.ask(url, "What is broken?").headers["x-cache-id"]
    (row,) = [row for row in own.rows() if row["RowKey"] == broken]
    own.put({**{name: value for name, value in row.items() if not name.startswith("answer")}, "answer": "no bytes"})
    other = f"{own.start_second()}/two"
    wait_until(lambda: own.ask(other, "Are you there?").status_code == 200)
    # A new instance reads a scope when it is first asked for.
    wait_until(lambda: own.ask(other, "What do they share?").headers.get("x-cache") == "HIT; exact", 5)
    later = own.ask(url, "What comes later?").json()
    wait_until(lambda: own.ask(other, "What comes later?").json()["choices"] == later["choices"], 6)
    shared = own.ask(other, "What do they share?").json()
    assert shared["choices"] == first.json()["choices"]
    own.wait_until_warm(other)
    answer = own.ask(other, "What is broken?")
    assert (answer.status_code, answer.headers["x-cache"]) == (200, "MISS")
    wait_until(lambda: broken not in {row["RowKey"] for row in own.rows()})


def test_storage_goes_away_and_comes_back(own: Cached) -> None:
    """Meanwhile what is in memory is served, and all else is a miss; what is answered meanwhile is written later."""
    url = own.api("away")
    own.ask(url, "Is it kept?")
    wait_until(lambda: any(row["api"] == "away" for row in own.rows()))
    own.system.azurite.stop()
    answers = [own.ask(url, text) for text in ("Is it kept?", "Is anybody there?", "Is anybody there?")]
    assert [answer.status_code for answer in answers] == [200] * 3
    said = [answer.headers["x-cache"] for answer in answers]
    assert said[0] == said[2] == "HIT; exact"
    assert said[1].startswith("MISS")
    kept = answers[2].headers["x-cache-id"]
    own.system.azurite.start()
    wait_until(lambda: kept in {row["RowKey"] for row in own.rows()}, 60)
