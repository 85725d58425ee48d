"""The report, rendered from given figures."""

from dataclasses import replace

from bench.figures import Results, Series
from bench.report import QUICK_WARNING, render
from bench.stage import GATEWAY
from tests.bench.sample_results import RESULTS

REPORT = render(RESULTS)

ROWS = [
    "- measured: 2030-01-01 12:00+00:00, full run",
    "- processor: 2 cores",
    "| requests/s at 32 connections, of those of nginx, plain proxy_pass | 0.200 | ≥ 0.08 now | met |",
    "| requests/s at 32 connections, of those of nginx, upstream keepalive | 0.050 | ≥ 0.08 now | **not met** |",
    "| backend, directly | 1 | 9,000 | 9,000 to 9,000 | 0.10 | 1.00 | 0 |  |  |  |",
    "| gateway | 1 | 1,000 | 1,000 to 1,000 | 0.90 | 9.00 | 0 |  |  | +0.80 ms |",
    "| gateway | 32 | 2,000 | 1,000 to 3,000 | 1.00 | 10.00 | 0 | 0.200 | 0.050 |  |",
    "| a new prompt of 200 words, p50 | 35.00 | 34.00 to 36.00 |",
    "| a screened stream, whole | 5,500.00 | 5,400.00 to 5,600.00 |",
    "| gateway | 1.70 | +1.50 | 2.00 | 50,000 | 1.50 | 2,000 | 0.25 / 0.75 | 0 |",
    "| import function_app | 0.500 (0.400 to 0.600) |",
    "500 modules are loaded. The most time of their own, in milliseconds: pydantic 40.",
    "| a reservation | 250,000 (240,000 to 260,000) |",
    "| a reservation, settled to less | 190,000 (180,000 to 200,000) |",
    "| 100,000 | 70.5 |",
    "| 1,000 | 10 | 5 | 5 |",
    "| gateway | 75% |",
    "| `write (asyncio/selector_events.py)` | 10.0% |",
]


def test_every_figure_is_in_its_row() -> None:
    """Medians, ends, ratios, additions and verdicts, word for word."""
    lines = REPORT.splitlines()
    assert [row for row in ROWS if row not in lines] == []


def test_every_table_is_whole() -> None:
    """Each row of a table has as many cells as its header."""
    for block in REPORT.split("\n\n"):
        widths = {line.count("|") for line in block.splitlines() if line.startswith("|")}
        assert len(widths) <= 1, block


def test_parts_that_were_not_measured_have_no_heading() -> None:
    """An empty run says what it ran on, and nothing else."""
    assert render(Results("full", "now", {})) == "- measured: now, full run\n"


def test_a_quick_run_says_so() -> None:
    """So that nobody quotes it."""
    assert QUICK_WARNING not in REPORT
    assert QUICK_WARNING in render(replace(RESULTS, plan="quick"))


def test_processor_time_of_the_busiest_series() -> None:
    """User, system, and both together, for each process."""
    used = {"worker, user": 200.0, "worker, system": 30.0, "backend, user": 2.0, "backend, system": 3.4}
    loads = RESULTS.throughput[-1].loads
    results = replace(RESULTS, throughput=(Series(GATEWAY, 32, loads, (used,)),))
    lines = render(results).splitlines()
    assert "| worker of the gateway | 200 | 30 | 230 |" in lines
    assert "| backend | 2 | 3 | 5 |" in lines
