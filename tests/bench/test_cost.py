"""What a month costs: the formulas at their ends, and the document that repeats them."""

import subprocess
import sys
from dataclasses import replace

import pytest

from bench.cost import (
    BEGIN,
    DOCUMENT,
    FREE_GB_SECONDS,
    PRICES,
    SECONDS_OF_MONTH,
    Use,
    calls_at_once,
    embeddings_cost,
    functions_cost,
    main,
    management_cost,
    report,
    safety_cost,
    seconds_at_work,
    storage_cost,
    total_cost,
)
from bench.documents import END
from local.processes import REPOSITORY

NOBODY = Use(calls=0)


def test_nobody_pays_for_nothing() -> None:
    """It scales to zero, and so does the bill; always-ready instances do not."""
    assert (seconds_at_work(NOBODY), total_cost(NOBODY)) == (0, 0)
    ready = replace(NOBODY, always_ready=1, memory=1_024)
    assert functions_cost(ready) == pytest.approx(SECONDS_OF_MONTH * PRICES["ready"].dollars)


def test_calls_at_once() -> None:
    """Little's law, in the busy hours."""
    use = Use(calls=SECONDS_OF_MONTH, seconds=3.0)
    assert calls_at_once(use) == pytest.approx(3.0)
    assert calls_at_once(replace(use, busy=0.5)) == pytest.approx(6.0)


def test_few_calls_are_paid_for_one_by_one() -> None:
    """They hardly ever meet; a short one counts as a second."""
    use = Use(calls=100, seconds=5.0)
    assert seconds_at_work(use) == pytest.approx(500, rel=1e-3)
    assert seconds_at_work(replace(use, seconds=0.2)) == pytest.approx(100, rel=1e-3)


def test_many_calls_are_paid_for_by_the_month() -> None:
    """An instance cannot be at work for longer; when it is full there is another."""
    full = Use(calls=SECONDS_OF_MONTH * 10, seconds=20.0)
    assert seconds_at_work(full) == pytest.approx(SECONDS_OF_MONTH)
    assert seconds_at_work(replace(full, calls=full.calls * 2)) == pytest.approx(SECONDS_OF_MONTH * 2)
    assert seconds_at_work(replace(full, seconds=0.001)) <= SECONDS_OF_MONTH


def test_more_calls_are_never_cheaper() -> None:
    """Nor are longer ones, or larger instances."""
    base = Use(calls=50_000)
    for larger in ({"calls": 60_000}, {"seconds": 6.0}, {"memory": 4_096}, {"prompt_characters": 1}):
        assert total_cost(replace(base, **larger)) > total_cost(base)


def test_the_free_grant_is_taken_off_once() -> None:
    """Of on-demand time: a gigabyte's first 100,000 seconds."""
    use = Use(calls=100, seconds=500.0, memory=2_048)
    assert seconds_at_work(use) * 2 < FREE_GB_SECONDS
    assert functions_cost(use) == 0


def test_what_is_asked_of_others() -> None:
    """Records of 1,000 characters begun, twice for a prompt; tokens; operations by time."""
    base = Use(calls=1_000)
    record, token = PRICES["records"].dollars, PRICES["embeddings"].dollars
    assert safety_cost(replace(base, prompt_characters=1_001)) == pytest.approx(4_000 * record)
    assert safety_cost(replace(base, answer_characters=500, hits=0.5)) == pytest.approx(500 * record)
    assert embeddings_cost(replace(base, embedded_tokens=7)) == pytest.approx(7_000 * token)
    assert storage_cost(base) == pytest.approx(seconds_at_work(base) * 2 * PRICES["operations"].dollars)


def test_api_management() -> None:
    """By the unit, or by the call after the first million."""
    assert management_cost("Basic v2, one unit", 10**9) == 210
    assert management_cost("Consumption (no policies for language models)", 3_000_000) == pytest.approx(7.0)


def test_the_document_has_the_tables_of_the_formulas() -> None:
    """`python -m bench.cost --write-docs` would change nothing."""
    text = DOCUMENT.read_text()
    assert text.split(BEGIN)[1].split(END)[0].strip() == report().strip()


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Prints each part; --help names every option; what makes no sense is refused."""
    assert main(["--calls", "10", "--prompt-characters", "10"]) == 0
    assert "Content Safety" in capsys.readouterr().out
    for wrong in (["--calls", "-1"], ["--busy", "0"], ["--memory", "1000"], ["--seconds", "0"], ["--hits", "2"]):
        with pytest.raises(SystemExit) as refused:
            main(wrong)
        assert refused.value.code == 2
    command = [sys.executable, "-m", "bench.cost", "--help"]
    told = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert "--embedded-tokens" in told
