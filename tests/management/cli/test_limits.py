"""`limits show` and `limits reset`."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from gateway.ledger.meters import Calendar, Meter, Sliding
from gateway.ledger.record import Count, Record
from gateway.management.cli.limits import HELD, _moment
from gateway.settings import Settings
from gateway.storage.ledger import LedgerStore
from gateway.storage.tables import Tables
from tests.management.cli.command_line import CommandLine

KEY = "subscription:team-a"
# So long that nothing frees while a test runs.
DAY, YEAR = Meter("tokens", Sliding(86_400)), Meter("usd", Calendar("Yearly"))


async def write(connection: str, texts: dict[str, str]) -> None:
    """Records as instances would write them."""
    tables = Tables(Settings(tables=connection))
    for key, text in texts.items():
        await LedgerStore(tables).write(key, text, None)
    await tables.aclose()


@pytest.fixture
def counted(gateway: CommandLine, storage: str) -> CommandLine:
    """A command line on tables with two counters, of which one is broken."""
    now = time.time()
    record = Record(
        {
            DAY: Count({DAY.window.slot(now): 1_500}, 20_000),
            YEAR: Count({YEAR.window.slot(now): 12_345_000_000}, 50 * 10**9),
        }
    )
    asyncio.run(write(storage, {KEY: record.to_text(), "broken": "{}"}))
    return gateway


def test_show_one(counted: CommandLine) -> None:
    """A row for each meter; budgets in dollars; when it frees, in UTC and from now."""
    result = counted("limits", "show", KEY)
    assert (result.exit_code, result.stderr) == (0, f"{HELD}\n")
    titles, tokens, money = result.stdout.splitlines()
    assert titles.split("  ")[0] == "COUNTER"
    assert "NEXT FREES (UTC)" in titles
    assert tokens.split()[:5] == [KEY, "tokens/86400s", "20,000", "1,500", "18,500"]
    assert "(in 24 h)" in tokens
    assert money.split()[:5] == [KEY, "usd/Yearly", "50", "12.345", "37.655"]
    assert f"{datetime.now(UTC).year + 1}-01-01 00:00:00 (in " in money


def test_show_as_json(counted: CommandLine) -> None:
    """One object for one counter."""
    found = counted.json("limits", "show", KEY)
    tokens, money = found["meters"]
    assert found["key"] == KEY
    free = datetime.fromisoformat(tokens["nextFreesAt"])
    assert timedelta(hours=23, minutes=59) < free - datetime.now(UTC) < timedelta(hours=24, minutes=25)
    assert tokens == {
        "meter": "tokens/86400s",
        "limit": 20_000,
        "used": 1_500,
        "left": 18_500,
        "nextFreesAt": tokens["nextFreesAt"],
        "allFreeAt": tokens["nextFreesAt"],
    }
    assert (money["limit"], money["used"], money["left"]) == (50.0, 12.345, 37.655)


def test_show_all(counted: CommandLine) -> None:
    """A record that cannot be read is named beside the others; as JSON a list."""
    result = counted("limits", "show")
    assert len(result.stdout.splitlines()) == 3
    held, broken = result.stderr.splitlines()
    assert held == HELD
    assert broken.startswith("Counter broken: the record is not one of the ledger's; `limits reset`")
    assert [counter["key"] for counter in counted.json("limits", "show")] == ["broken", KEY]
    assert [counter["key"] for counter in counted.json("limits", "show", "subscription:*")] == [KEY]


def test_nothing_to_show(counted: CommandLine) -> None:
    """Words for people, an empty list for programs."""
    result = counted("limits", "show", "ip:*")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Nothing is counted.\n")
    assert counted.json("limits", "show", "ip:*") == []


@pytest.mark.parametrize("verb", ["show", "reset"])
def test_an_unknown_counter_is_refused(gateway: CommandLine, verb: str) -> None:
    """Exit code 1, and where to look."""
    result = gateway("limits", verb, KEY)
    assert (result.exit_code, result.stdout) == (1, "")
    assert (
        result.stderr
        == f"Counter {KEY}: nothing was ever counted for it; `limits show` lists the counters there are.\n"
    )


def test_reset(counted: CommandLine) -> None:
    """Everything is left then, and nothing has to free."""
    result = counted("limits", "reset", KEY)
    assert (result.exit_code, result.stdout) == (0, f"Counter {KEY} is empty.\n")
    for meter in counted.json("limits", "show", KEY)["meters"]:
        assert (meter["used"], meter["left"], meter["nextFreesAt"]) == (0, meter["limit"], None)
    assert [line.split()[-2:] for line in counted("limits", "show", KEY).stdout.splitlines()[1:]] == [["-", "-"]] * 2
    assert counted.json("limits", "reset", "broken") == {"key": "broken", "meters": []}
    assert counted("limits", "show", "broken").stderr == "Nothing is used.\n"


def test_reset_empties_one_counter(counted: CommandLine) -> None:
    """A pattern is no key, and nothing is emptied by it."""
    result = counted("limits", "reset", "subscription:*")
    assert (result.exit_code, result.stdout) == (1, "")
    said = "`limits reset` empties one counter, by its whole key; `limits show 'subscription:*'` lists them."
    assert result.stderr == f"Counter subscription:*: {said}\n"
    assert counted.json("limits", "show", KEY)["meters"][0]["used"] == 1_500


def test_tiny_amounts_are_written_out(gateway: CommandLine, storage: str) -> None:
    """Budgets are counted in billionths of a dollar."""
    record = Record({YEAR: Count({YEAR.window.slot(time.time()): 29}, 1_000 * 10**9)})
    asyncio.run(write(storage, {KEY: record.to_text()}))
    money = gateway("limits", "show", KEY).stdout.splitlines()[1]
    assert money.split()[1:5] == ["usd/Yearly", "1,000", "0.000000029", "999.999999971"]
    assert gateway.json("limits", "show", KEY)["meters"][0]["used"] == 2.9e-8


SPANS = {0: "0 s", 119: "119 s", 120: "2 min", 7_199: "119 min", 7_200: "2 h", 172_799: "47 h", 172_800: "2 d"}


@pytest.mark.parametrize(("seconds", "text"), SPANS.items())
def test_spans(seconds: int, text: str) -> None:
    """In the largest unit of which there are at least two."""
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert _moment(now + timedelta(seconds=seconds), now).endswith(f"(in {text})")
