"""The ledger's own figures."""

from __future__ import annotations

from dataclasses import replace

from bench.ledger import measure_ledger
from bench.plan import QUICK


def test_admissions_are_counted() -> None:
    """A very short run: something is admitted in each round, and storage is asked now and then."""
    plan = replace(QUICK, ledger_warm_up_seconds=0.5, ledger_rounds=2, ledger_seconds=0.2)
    measured = measure_ledger(plan)
    assert measured.admissions.maximum >= measured.admissions.median >= measured.admissions.minimum > 0
    assert measured.settled.minimum > 0
    assert measured.operations < 10
