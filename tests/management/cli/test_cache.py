"""`cache stats`, `cache show` and `cache purge`."""

import asyncio
import time
from dataclasses import replace

import pytest

from gateway.cache.entry import Entry, new_id
from gateway.cache.guard import fingerprint
from gateway.settings import Settings
from gateway.storage.cache import CacheStore
from gateway.storage.cache_rows import Kept, Record
from gateway.storage.tables import Tables
from local.model import ModelServer
from local.model.embeddings import vector_of
from tests.management.cli.command_line import CommandLine

NOW = time.time()
SCOPES = {"a": "a" * 64, "b": "b" * 64}


def entry(scope: str, subscription: str, number: int, age: float = 0.0, api: str = "openai") -> Entry:
    moment = NOW - age
    exact = number.to_bytes(16)
    return Entry(new_id(moment), SCOPES[scope], b"c" * 16, exact, b"", moment, NOW + 3600, api, subscription)


ENTRIES = [
    entry("a", "team-a", 1),
    entry("a", "team-a", 2, 7_200),
    entry("a", "team-b", 3),
    entry("b", "team-b", 4, api="other"),
]


async def write(connection: str) -> None:
    """Entries as instances would write them."""
    tables = Tables(Settings(tables=connection))
    for each in ENTRIES:
        await CacheStore(tables).write(Record(Kept(each), b"answer", "gpt-4o"))
    await tables.aclose()


@pytest.fixture
def filled(gateway: CommandLine, storage: str) -> CommandLine:
    """A command line on tables with four entries of two scopes."""
    asyncio.run(write(storage))
    return gateway


def counts(filled: CommandLine, *options: str) -> dict[tuple[str, str], int]:
    """By API and subscription."""
    return {(each["api"], each["subscription"]): each["entries"] for each in filled.json("cache", "stats", *options)}


def test_stats(filled: CommandLine) -> None:
    """By scope and subscription, as a table and as JSON, of all or of one."""
    assert counts(filled) == {("openai", "team-a"): 2, ("openai", "team-b"): 1, ("other", "team-b"): 1}
    assert counts(filled, "--api", "other") == {("other", "team-b"): 1}
    assert counts(filled, "--subscription", "team-a") == {("openai", "team-a"): 2}
    table = filled("cache", "stats").stdout
    assert "gpt-4o" in table
    assert "answer" not in table


def test_nothing(gateway: CommandLine) -> None:
    """Said so, and it is no failure."""
    result = gateway("cache", "stats")
    assert (result.exit_code, result.stderr.strip()) == (0, "Nothing is kept.")


def test_show(filled: CommandLine) -> None:
    """An entry by its id; an id that is none is refused in words."""
    found = filled.json("cache", "show", ENTRIES[3].id)
    assert (found["api"], found["subscription"], found["byMeaning"], found["prompt"]) == (
        "other",
        "team-b",
        False,
        None,
    )
    for wrong in ("nonsense", "1763884800000-0123456789ab"):
        result = filled("cache", "show", wrong)
        assert result.exit_code == 1
        assert "is not in the cache" in result.stderr


PURGES = {
    "everything": ([], 0, 4),
    "an API": (["--api", "other"], 3, 1),
    "a subscription": (["--subscription", "team-b"], 2, 2),
    "what is old": (["--older-than", "1h"], 3, 1),
    "an API's of a subscription": (["--api", "openai", "--subscription", "team-b"], 3, 1),
    "one": (["--id", ENTRIES[0].id], 3, 1),
}


@pytest.mark.parametrize("name", PURGES)
def test_purge(filled: CommandLine, name: str) -> None:
    """What was asked for, and nothing else."""
    options, left, removed = PURGES[name]
    assert filled.json("cache", "purge", *options, "--yes") == {"removed": removed}
    assert sum(counts(filled).values()) == left


@pytest.mark.parametrize("span", ["yesterday", "0h", "-1d", "1w", "1.5h"])
def test_a_span_that_is_none(gateway: CommandLine, span: str) -> None:
    """Wrong usage, with what to write."""
    result = gateway("cache", "purge", "--older-than", span, "--yes")
    assert result.exit_code == 2
    assert "such as 30min, 24h or 7d" in result.stderr


CACHED = """
kind: Api
name: openai
path: openai
type: openai
backend: {{url: "{url}"}}
semanticCache: {{embeddings: {{backend: {{url: "{url}"}}, model: any, dimensions: 64}}, scoreThreshold: 0.4}}
"""
QUESTIONS = {
    "Please tell me how do I boil an egg?": "would be served",
    "How do I boil an egg in 3 minutes?": "numbers differ",
    "Who won the cup in Rome?": "too far",
}


async def keep(connection: str, space: str) -> None:
    """Entries as an instance would keep them, the first with its prompt."""
    tables = Tables(Settings(tables=connection))
    for number, question in enumerate(QUESTIONS):
        kept = replace(
            entry("a", "team-a", 10 + number),
            fingerprint=fingerprint(question, SCOPES["a"].encode()).to_bytes(),
            prompt="" if number else question,
        )
        vector = vector_of(question, 64).tobytes()
        await CacheStore(tables).write(Record(Kept(kept, vector, space), b"answer"))
    await tables.aclose()


def test_explain(gateway: CommandLine, storage: str) -> None:
    """Every entry that can be compared, nearest first, with what would come of it."""
    model = ModelServer()
    try:
        assert gateway("apply", "-f", "-", stdin=CACHED.format(url=model.url)).exit_code == 0
        asyncio.run(keep(storage, f"{model.url} any:64"))
        asyncio.run(keep(storage, f"{model.url} another:64"))
        found = gateway.json("cache", "explain", "--api", "openai", "How do I boil an  egg?")
        table = gateway("cache", "explain", "--api", "openai", "How do I boil an egg?", "--limit", "1").stdout
    finally:
        model.close()
    assert sorted(each["verdict"] for each in found) == sorted(QUESTIONS.values())
    assert found == sorted(found, key=lambda each: each["distance"])
    served = next(each for each in found if each["verdict"] == "would be served")
    assert served["prompt"] == next(iter(QUESTIONS))
    assert table.count("team-a") == 1


def test_explain_without_embeddings(gateway: CommandLine) -> None:
    """Said in words: an API that is none, one without a cache, a backend that gives no vector."""
    assert "does not exist" in gateway("cache", "explain", "--api", "none", "x").stderr
    plain = CACHED.format(url="http://127.0.0.1:1").partition("semanticCache")[0]
    assert gateway("apply", "-f", "-", stdin=plain).exit_code == 0
    assert "has no semanticCache" in gateway("cache", "explain", "--api", "openai", "x").stderr
    assert gateway("apply", "-f", "-", stdin=CACHED.format(url="http://127.0.0.1:1")).exit_code == 0
    result = gateway("cache", "explain", "--api", "openai", "x")
    assert result.exit_code == 1
    assert "embeddings-unavailable" in result.stderr


def test_a_deleted_subscription_takes_its_answers_along(filled: CommandLine) -> None:
    """And nobody else's."""
    subscription = "kind: Subscription\nname: team-b\nscope: /apis\n"
    assert filled("apply", "-f", "-", stdin=subscription).exit_code == 0
    assert filled("subscriptions", "delete", "team-b", "--yes").exit_code == 0
    assert counts(filled) == {("openai", "team-a"): 2, ("openai", "team-b"): 0, ("other", "team-b"): 0}


def test_purge_asks(filled: CommandLine) -> None:
    """Without --yes somebody has to agree."""
    assert filled("cache", "purge", stdin="n\n").exit_code == 1
    assert sum(counts(filled).values()) == 4
