"""What the gateway costs on Azure in a month, by formulas, beside API Management.

    python -m bench.cost --calls 1000000 --seconds 5 --memory 2048
    python -m bench.cost --write-docs

Prices are US dollars as published for the region East US (`Price.source`); none was checked against an invoice.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.documents import with_results
from bench.tables import table
from local.processes import REPOSITORY

DOCUMENT = REPOSITORY / "docs" / "cost.md"
BEGIN = "<!-- tables: written by `python -m bench.cost --write-docs` -->"
SECONDS_OF_MONTH = 730 * 3_600
MEGABYTES_OF_GIGABYTE = 1_024
# Flex Consumption counts every time in which an instance is at work as this long at least.
SHORTEST_SECONDS = 1.0
CHARACTERS_OF_RECORD = 1_000


@dataclass(frozen=True)
class Price:
    """Dollars for one of something, and who said so."""

    dollars: float
    unit: str
    source: str


NOT_CHECKED = "Microsoft's page of prices; not checked here"
FUNCTIONS = "modal.com/blog/azure-function-pricing-guide, 2025-05-22"
MANAGEMENT = "microsoftnegotiations.com/blog/azure-api-management-licensing, 2026"
QUESTION = "learn.microsoft.com/answers/questions/5533653, 2025"
PRICES = {
    "execution": Price(0.000026, "GB-second at work, on demand", FUNCTIONS),
    "executions": Price(0.40e-6, "execution", NOT_CHECKED),
    "ready": Price(0.000004, "GB-second of an always-ready instance", NOT_CHECKED),
    "ready execution": Price(0.000016, "GB-second at work of an always-ready instance", NOT_CHECKED),
    "operations": Price(0.00036 / 10_000, "operation of Table Storage (LRS)", NOT_CHECKED),
    "records": Price(0.38 / 1_000, "text record of Content Safety", QUESTION),
    "embeddings": Price(0.02 / 1e6, "token of text-embedding-3-small", "OpenAI's page of prices; not checked here"),
}
# A month, for on-demand instances; Microsoft's page, not checked here.
FREE_GB_SECONDS, FREE_EXECUTIONS = 100_000, 250_000
MANAGEMENT_TIERS = {
    "Consumption (no policies for language models)": (0.0, 3.50e-6, 1_000_000),
    "Developer (no service level)": (48.0, 0.0, 0),
    "Basic v2, one unit": (210.0, 0.0, 0),
    "Standard v2, one unit": (734.0, 0.0, 0),
    "Premium, one unit": (3_000.0, 0.0, 0),
}


@dataclass(frozen=True)
class Use:
    """A month. `seconds` is a call's whole time, of which the gateway's own is a thousandth; `busy` is the share of the
    month into which all calls fall, evenly. `operations` are storage's a second while an instance is at work.
    """

    calls: int = 1_000_000
    seconds: float = 5.0
    memory: int = 2_048
    concurrency: int = 200
    always_ready: int = 0
    busy: float = 1.0
    operations: float = 2.0
    hits: float = 0.0
    prompt_characters: int = 0
    answer_characters: int = 0
    embedded_tokens: int = 0


def calls_at_once(use: Use) -> float:
    """Of the busy hours, on average (Little's law)."""
    return use.calls * use.seconds / (SECONDS_OF_MONTH * use.busy)


def seconds_at_work(use: Use) -> float:
    """Of all instances together.

    An instance is paid for while at least one call is on it. With calls that come at random it is empty for e^-L of the
    time, where L is how many there are at once; from `concurrency` calls an instance on there are more instances. A
    time at work counts as SHORTEST_SECONDS at least.
    """
    busy_seconds = SECONDS_OF_MONTH * use.busy
    at_once = calls_at_once(use)
    instances = max(1, math.ceil(at_once / use.concurrency))
    on_each = at_once / instances
    share = 1 - math.exp(-on_each)
    times = use.calls / instances * math.exp(-on_each)
    counted = max(0.0, SHORTEST_SECONDS - use.seconds) * times
    return instances * min(busy_seconds, busy_seconds * share + counted)


def functions_cost(use: Use) -> float:
    """Dollars for execution time and executions; the free grants are only for on-demand instances."""
    gigabytes = use.memory / MEGABYTES_OF_GIGABYTE
    at_work = seconds_at_work(use) * gigabytes
    if use.always_ready:
        baseline = use.always_ready * SECONDS_OF_MONTH * gigabytes * PRICES["ready"].dollars
        return baseline + at_work * PRICES["ready execution"].dollars + use.calls * PRICES["executions"].dollars
    time = max(0.0, at_work - FREE_GB_SECONDS) * PRICES["execution"].dollars
    return time + max(0, use.calls - FREE_EXECUTIONS) * PRICES["executions"].dollars


def storage_cost(use: Use) -> float:
    """Dollars for operations: those that go by time (catalog, keys, leases, usage), and one for each kept answer."""
    kept = use.calls * (1 - use.hits) if use.hits else 0.0
    return (seconds_at_work(use) * use.operations + kept) * PRICES["operations"].dollars


def safety_cost(use: Use) -> float:
    """Dollars for new prompts, analyzed and shielded, and answers: a record for each 1,000 characters begun."""
    records = 2 * _records(use.prompt_characters) + _records(use.answer_characters) * (1 - use.hits)
    return use.calls * records * PRICES["records"].dollars


def embeddings_cost(use: Use) -> float:
    """Dollars for a vector of each question."""
    return use.calls * use.embedded_tokens * PRICES["embeddings"].dollars


def total_cost(use: Use) -> float:
    """All of it, without the models."""
    return functions_cost(use) + storage_cost(use) + safety_cost(use) + embeddings_cost(use)


def management_cost(tier: str, calls: int) -> float:
    """Dollars for a tier of API Management, one unit."""
    fixed, each, free = MANAGEMENT_TIERS[tier]
    return fixed + each * max(0, calls - free)


def report() -> str:
    """The tables of docs/cost.md."""
    base = Use()
    small = replace(base, memory=512)
    cases = {
        "a million calls of 5 s, spread over the month": base,
        "the same on instances of 512 MB": small,
        "the same in working hours (a quarter of the month)": replace(small, busy=0.25),
        "100,000 calls of 5 s in working hours, 512 MB": replace(small, calls=100_000, busy=0.25),
        "ten million calls of 5 s, 2,048 MB": replace(base, calls=10_000_000),
        "a million calls of 5 s, one always-ready instance of 512 MB": replace(small, always_ready=1),
        "nobody calls": replace(base, calls=0),
    }
    rows = [
        (name, f"{calls_at_once(use):.1f}", *(f"{cost(use):,.2f}" for cost in (functions_cost, storage_cost)))
        for name, use in cases.items()
    ]
    gateway = table(("a month", "calls at once", "Functions, $", "Table Storage, $"), rows)
    asked = replace(base, prompt_characters=1_000)
    screened = {
        "Content Safety: a new prompt of 1,000 characters, analyzed and shielded": safety_cost(asked),
        "the same, and answers of 2,000 characters": safety_cost(replace(asked, answer_characters=2_000)),
        "a vector for each question of 50 tokens": embeddings_cost(replace(base, embedded_tokens=50)),
    }
    more = [(name, f"{dollars:,.2f}") for name, dollars in screened.items()]
    beside = [(tier, f"{management_cost(tier, base.calls):,.2f}") for tier in MANAGEMENT_TIERS]
    sources = [(price.unit, f"{price.dollars * 1e6:,.3f}", price.source) for price in PRICES.values()]
    return (
        "\n\n".join(
            (
                gateway,
                table(("a million calls, besides", "$"), more),
                table(("API Management, a million calls a month", "$"), beside) + f"\n\nSource: {MANAGEMENT}.",
                table(("price of a million of each", "$", "source"), sources),
            )
        )
        + "\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what one use costs, or write the document."""
    options = _parse(arguments)
    if options.write_docs:
        DOCUMENT.write_text(with_results(DOCUMENT.read_text(), report(), BEGIN))
        return 0
    use = Use(**{name: value for name, value in vars(options).items() if name != "write_docs"})
    costs = {"Functions": functions_cost, "Table Storage": storage_cost, "Content Safety": safety_cost}
    costs |= {"embeddings": embeddings_cost, "together": total_cost}
    print(
        f"{calls_at_once(use):.1f} calls at once; an instance is at work for {seconds_at_work(use) / 3_600:,.1f} hours"
    )
    for name, cost in costs.items():
        print(f"{name:15} ${cost(use):12,.2f}")
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.cost", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    use = Use()
    for name, kind, default, what in (
        ("calls", int, use.calls, "calls a month"),
        ("seconds", float, use.seconds, "a call's whole time"),
        ("memory", int, use.memory, "MB of an instance: 512, 2048 or 4096"),
        ("concurrency", int, use.concurrency, "calls that an instance takes at once"),
        ("always-ready", int, use.always_ready, "instances that are always there"),
        ("busy", float, use.busy, "share of the month with calls"),
        ("operations", float, use.operations, "storage's a second, of an instance at work"),
        ("hits", float, use.hits, "share that the cache answers"),
        ("prompt-characters", int, use.prompt_characters, "new ones of a call that are screened"),
        ("answer-characters", int, use.answer_characters, "of an answer that are screened"),
        ("embedded-tokens", int, use.embedded_tokens, "of a question to the cache"),
    ):
        parser.add_argument(f"--{name}", type=kind, default=default, help=f"{what} (default: {default})")
    parser.add_argument("--write-docs", action="store_true", help="write the tables of docs/cost.md")
    options = parser.parse_args(arguments)
    if options.memory not in (512, 2_048, 4_096):
        parser.error("memory must be 512, 2048 or 4096: there are no other instances")
    if options.seconds <= 0 or options.concurrency < 1 or not 0 < options.busy <= 1 or not 0 <= options.hits <= 1:
        parser.error("seconds and concurrency must be more than 0, and busy and hits shares of 1")
    if min(value for value in vars(options).values() if not isinstance(value, bool)) < 0:
        parser.error("nothing can be negative")
    return options


def _records(characters: int) -> int:
    return math.ceil(characters / CHARACTERS_OF_RECORD)


if __name__ == "__main__":
    raise SystemExit(main())
