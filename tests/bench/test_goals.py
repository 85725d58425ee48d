"""Figures beside their goals."""

from dataclasses import replace

from bench.figures import Imports, Memory, Results, StorageUse
from bench.goals import added_first_event, added_latency, judge, memory_growth, ratio_of_nginx
from bench.stage import GATEWAY, KEPT, PLAIN
from tests.bench.sample_results import RESULTS, SPREAD, series

NOTHING = Results("full", "", {})


def test_the_ratio_is_of_the_medians() -> None:
    """2,000 of 10,000, whatever the single rounds were; nothing where one of the two is missing."""
    assert ratio_of_nginx(RESULTS, PLAIN, 32) == 0.2
    assert ratio_of_nginx(RESULTS, KEPT, 32) == 0.05
    assert ratio_of_nginx(RESULTS, PLAIN, 1) is None


def test_what_the_gateway_adds() -> None:
    """Over the backend itself, at one connection."""
    assert round(added_latency(RESULTS, GATEWAY) or 0, 6) == 0.8
    assert round(added_first_event(RESULTS, GATEWAY) or 0, 6) == 1.5
    assert added_latency(NOTHING, GATEWAY) is None


def test_memory_between_two_counts() -> None:
    """Only where both were measured."""
    assert memory_growth(RESULTS, 10_000, 100_000) == 6.5
    assert memory_growth(RESULTS, 10_000, 1_000_000) is None


def test_judgements() -> None:
    """Each figure is judged by itself, in both directions."""
    assert [(each.measured, each.goal, each.met) for each in judge(RESULTS)] == [
        ("0.200", "≥ 0.08 now", True),
        ("0.200", "≥ 0.25 by design", False),
        ("0.050", "≥ 0.08 now", False),
        ("0.050", "≥ 0.25 by design", False),
        ("0.870", "≥ 0.85", True),
        ("0.890", "≥ 0.9", False),
        ("4.000", "≥ 2.0", True),
        ("0.920", "≥ 0.9", True),
        ("0.80 ms", "≤ 1 ms", True),
        ("3.25 ms", "≤ 3 ms", False),
        ("2.50 ms", "≤ 5 ms", True),
        ("1.100", "≤ 1.1", True),
        ("1.50 ms", "≤ 1 ms", False),
        ("0.50 s", "≤ 0.8 s", True),
        ("none", "none", True),
        ("1.50 s", "≤ 2.5 s", True),
        ("250,000", "≥ 200,000", True),
        ("1.40", "≤ 2", True),
        ("+6.5 MB", "≤ +5 MB", False),
        ("0.50", "≤ 2", True),
    ]


def test_only_what_was_measured_is_judged() -> None:
    """An empty run has no judgements; counts of requests that no goal speaks of are no judgement either."""
    assert judge(NOTHING) == []
    assert judge(replace(NOTHING, memory=Memory(60.0, {2_000: 61.0, 10_000: 62.0}))) == []
    assert judge(replace(NOTHING, throughput=(series(GATEWAY, 1, 100),))) == []


def test_a_million_requests_have_a_goal_of_their_own() -> None:
    """20 MB."""
    memory = Memory(60.0, {10_000: 60.0, 100_000: 61.0, 1_000_000: 81.0})
    assert [each.met for each in judge(replace(NOTHING, memory=memory))] == [True, False]


def test_an_unwanted_module_is_named() -> None:
    """However fast the import is."""
    imports = Imports(SPREAD, SPREAD, SPREAD, 500, {}, ("openai", "numpy"))
    last = judge(replace(NOTHING, imports=imports))[-1]
    assert (last.measured, last.met) == ("openai, numpy", False)


def test_storage_is_judged_under_the_heaviest_load() -> None:
    """A storage request a call would show there."""
    uses = (StorageUse(1, 100, 10.0, {"GET x": 5}), StorageUse(32, 50_000, 10.0, {"GET x": 50_000}))
    only = judge(replace(NOTHING, storage=uses))[0]
    assert (only.measured, only.met) == ("5000.00", False)
