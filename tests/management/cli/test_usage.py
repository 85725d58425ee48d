"""`usage`: what calls used, for people and for programs."""

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from gateway.settings import Settings
from gateway.storage.tables import Tables
from gateway.storage.usage import Figures, UsageKey, UsageRow, UsageStore, hour_of
from tests.management.cli.command_line import CommandLine

HOUR = datetime(2026, 11, 20, 10, tzinfo=UTC)
DAY = ("--from", "2026-11-20", "--to", "2026-11-20")
SPENT = Figures(
    calls=1_200, refusals=3, cache_hits=4, prompt=1_000_000, cached=400_000, completion=50_000, reasoning=7, cost=2_500
)
EQUALS = "=HYPERLINK(1)"


async def write(connection: str, *rows: UsageRow) -> None:
    """As instances would, each row by another one."""
    tables = Tables(Settings(tables=connection))
    for number, row in enumerate(rows):
        row.name = f"{number}:1"
        await UsageStore(tables).write([row])
    await tables.aclose()


@pytest.fixture
def used(gateway: CommandLine, storage: str) -> CommandLine:
    """A command line on tables with two hours of usage."""
    asyncio.run(
        write(
            storage,
            UsageRow(HOUR, UsageKey("team-a", "starter", "openai", "gpt-4o"), SPENT),
            UsageRow(HOUR, UsageKey("team-a", "starter", "openai", "gpt-4o"), Figures(calls=1, prompt=10, cost=1)),
            UsageRow(
                HOUR + timedelta(hours=1), UsageKey("", "", "open", EQUALS), Figures(calls=2, unpriced=2, prompt=5)
            ),
        )
    )
    return gateway


def test_the_table(used: CommandLine) -> None:
    """Units in the titles, numbers aligned to the right, the total last, and what it is about on stderr."""
    result = used("usage", *DAY)
    lines = result.stdout.splitlines()
    assert lines[0].split("  ") == [
        *("SUBSCRIPTION", "CALLS", "REFUSED", "CACHE HITS", "PROMPT TOKENS", "CACHED TOKENS", "COMPLETION TOKENS"),
        *("REASONING TOKENS", "TOTAL TOKENS", "COST (USD)"),
    ]
    assert [line.split() for line in lines[1:]] == [
        ["team-a", "1,201", "3", "4", "1,000,010", "400,000", "50,000", "7", "1,050,010", "0.000003"],
        ["-", "2", "0", "0", "5", "0", "0", "0", "5", "-"],
        ["TOTAL", "1,203", "3", "4", "1,000,015", "400,000", "50,000", "7", "1,050,015", "0.000003"],
    ]
    assert len({len(line) for line in lines}) == 1
    assert result.stderr.splitlines() == [
        "Usage from 2026-11-20 00:00 to 2026-11-21 00:00 UTC.",
        "The cost leaves out 2 calls that used tokens for which there is no price.",
    ]


def test_periods_and_several_names(used: CommandLine) -> None:
    """A column for each, in the order given; repeated options and commas say the same."""
    result = used("usage", *DAY, "--per", "hour", "--by", "api,model", "--by", "subscription")
    lines = [line.split()[:5] for line in result.stdout.splitlines()]
    assert lines == [
        ["HOUR", "(UTC)", "API", "MODEL", "SUBSCRIPTION"],
        ["2026-11-20T10:00Z", "openai", "gpt-4o", "team-a", "1,201"],
        ["2026-11-20T11:00Z", "open", EQUALS, "-", "2"],
        ["TOTAL", "1,203", "3", "4", "1,000,015"],
    ]


def test_json(used: CommandLine) -> None:
    """Dollars as a number, names that are missing as null, and the question with its answer."""
    found = used.json("usage", *DAY, "--per", "day")
    assert (found["from"], found["to"], found["per"]) == ("2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z", "day")
    assert found["by"] == ["subscription"]
    assert found["rows"][0] == {
        "period": "2026-11-20",
        "subscription": "team-a",
        "calls": 1_201,
        "refusals": 3,
        "cacheHits": 4,
        "unpricedCalls": 0,
        "promptTokens": 1_000_010,
        "cachedTokens": 400_000,
        "completionTokens": 50_000,
        "reasoningTokens": 7,
        "totalTokens": 1_050_010,
        "costUsd": 0.000002501,
    }
    assert (found["rows"][1]["subscription"], found["rows"][1]["costUsd"]) == (None, None)
    assert found["total"]["calls"] == 1_203


def test_csv_has_no_formulas(used: CommandLine) -> None:
    """A name that a spreadsheet would run begins with an apostrophe; costs have all their digits."""
    result = used("usage", *DAY, "--by", "model", "--per", "month", "--csv")
    first, second, third = csv.reader(io.StringIO(result.stdout))
    assert first == [
        *("period", "model", "calls", "refusals", "cacheHits", "unpricedCalls", "promptTokens", "cachedTokens"),
        *("completionTokens", "reasoningTokens", "totalTokens", "costUsd"),
    ]
    assert second[:3] == ["2026-11", "gpt-4o", "1201"]
    assert second[-1] == "0.000002501"
    assert third[:3] == ["2026-11", f"'{EQUALS}", "2"]
    assert third[-1] == ""


def test_a_name_that_is_missing_is_not_one_that_is_called_null(gateway: CommandLine, storage: str) -> None:
    """null and "null" in JSON; nothing and null in CSV."""
    keys = (UsageKey("team-a", model=""), UsageKey("team-a", model="null"))
    asyncio.run(write(storage, *(UsageRow(HOUR, key, Figures(calls=1)) for key in keys)))
    asked = ("usage", *DAY, "--by", "model")
    assert {row["model"] for row in gateway.json(*asked)["rows"]} == {None, "null"}
    lines = gateway(*asked, "--csv").stdout.splitlines()[1:]
    assert {line.partition(",")[0] for line in lines} == {"", "null"}


def test_filters(used: CommandLine) -> None:
    """All given must be right; an empty name stands for calls without one."""
    assert used.json("usage", *DAY, "--subscription", "team-a", "--api", "openai")["total"]["calls"] == 1_201
    assert used.json("usage", *DAY, "--subscription", "")["total"]["calls"] == 2
    assert used.json("usage", *DAY, "--model", "gpt-4o", "--model", EQUALS)["total"]["calls"] == 1_203
    nobody = used.json("usage", *DAY, "--product", "other")
    assert (nobody["rows"], set(nobody["total"].values())) == ([], {0})


def test_all_calls_in_one_row(used: CommandLine) -> None:
    """The total needs no row of its own then."""
    assert [line.split()[0] for line in used("usage", *DAY, "--by", "none").stdout.splitlines()] == ["CALLS", "1,203"]


def test_the_last_day_by_default(gateway: CommandLine, storage: str) -> None:
    """The hour now is in it; two days ago is not."""
    now = hour_of(datetime.now(UTC))
    key = UsageKey("team-a")
    rows = [UsageRow(now - timedelta(hours=hours), key, Figures(calls=1)) for hours in (0, 1, 22, 48)]
    asyncio.run(write(storage, *rows))
    # The hour may have become another meanwhile.
    assert gateway.json("usage")["total"]["calls"] == 3


def test_nothing_there(gateway: CommandLine) -> None:
    """Words for people; an empty document for programs, and a heading alone in CSV."""
    result = gateway("usage", *DAY)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "There were no calls from 2026-11-20 00:00 to 2026-11-21 00:00 UTC.\n"
    assert gateway.json("usage", *DAY)["rows"] == []
    assert gateway("usage", *DAY, "--csv").stdout.count("\n") == 1


WRONG = {
    "both formats": (("--json", "--csv"), "Give --json or --csv, not both."),
    "an unknown name": (("--by", "team"), 'must be of subscription, product, api, model, or none, and has "team".'),
    "none and more": (("--by", "none,api"), "none adds all calls up, and goes with no other name."),
    "none, and more elsewhere": (
        ("--by", "api", "--by", "none"),
        "none adds all calls up, and goes with no other name.",
    ),
    "no hours": (
        ("--last", "0h"),
        '--last must be a number of hours or days, 1 to 9999, such as 24h or 7d, and is "0h".',
    ),
    "an unknown period": (("--per", "week"), "'week' is not one of"),
    "no span": (("--last", "soon"), "--last must be a number of hours or days"),
}


@pytest.mark.parametrize(("arguments", "problem"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_command_line_exits_with_2(unconnected: CommandLine, arguments: tuple[str, ...], problem: str) -> None:
    """Before anything is read, with a sentence that says what is wrong."""
    result = unconnected("usage", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert problem in " ".join(result.stderr.split())
