"""`cache stats`, `cache show` and `cache purge`."""

import asyncio
import time

import pytest

from gateway.cache.entry import Entry, new_id
from gateway.settings import Settings
from gateway.storage.cache import CacheStore
from gateway.storage.cache_rows import Kept, Record
from gateway.storage.tables import Tables
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


def test_purge_asks(filled: CommandLine) -> None:
    """Without --yes somebody has to agree."""
    assert filled("cache", "purge", stdin="n\n").exit_code == 1
    assert sum(counts(filled).values()) == 4
