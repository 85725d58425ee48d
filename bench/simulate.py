"""Simulates the ledger on many instances: its own code, in simulated time, over a simulated Table Storage.

For each number of instances and keys: what was admitted over the limit, how much of it was used, storage operations,
and how long calls waited for the ledger. The same seed gives the same figures. Progress goes to standard error.

Exit codes: 0 simulated, 2 wrong usage, 130 stopped.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from dataclasses import replace
from itertools import product
from multiprocessing import Pool

from bench.documents import with_results
from bench.progress import say
from bench.simulation.cell import WINDOW_SECONDS, Outcome, Scenario, simulate
from bench.simulation.report import render
from local.processes import REPOSITORY
from local.run import Stopped, ignore_signals, stop_on_signals

DOCUMENT = REPOSITORY / "docs" / "scale.md"
PLOT = REPOSITORY / "docs" / "scale" / "simulation.svg"
BEGIN = "<!-- results: written by `python -m bench.simulate --write-docs` -->"
STOPPED = 130
EXAMPLES = """
examples:
  python -m bench.simulate                              the whole grid, about half an hour of each processor
  python -m bench.simulate --instances 64 --keys 1,100  two cells of it
  python -m bench.simulate --write-docs                 into docs/scale.md, with the plot
"""


def main(arguments: list[str] | None = None) -> int:
    """Simulate, print, write."""
    options = parse(arguments)
    stop_on_signals()
    try:
        with Pool(options.jobs, initializer=_prepare_process) as pool:
            outcomes = [outcome for cell in pool.imap(try_out, scenarios(options)) for outcome in cell]
        ignore_signals()
    except Stopped:
        say("stopped")
        return STOPPED
    report = render(outcomes)
    print(report)
    if options.write_docs:
        _write(outcomes, report)
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The options, checked."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.simulate",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--instances", type=_numbers, default=(1, 8, 64, 1_000), help="default: 1,8,64,1000", metavar="N,..."
    )
    parser.add_argument("--keys", type=_numbers, default=(1, 100, 10_000), help="default: 1,100,10000", metavar="N,...")
    parser.add_argument("--seconds", type=int, default=180, help="simulated seconds of each cell; default: 180")
    parser.add_argument("--calls", type=float, default=1_000.0, help="calls a second in all; default: 1000")
    parser.add_argument(
        "--times", type=_factors, default=(0.8, 2.0), help="times the limit asked for; default: 0.8,2", metavar="X,..."
    )
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="cells at once; default: one a processor")
    parser.add_argument("--write-docs", action="store_true", help="put the results into docs/scale.md")
    options = parser.parse_args(arguments)
    if options.seconds <= WINDOW_SECONDS:
        parser.error(f"--seconds must be more than the window's {WINDOW_SECONDS}")
    return options


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(part) for part in text.split(","))
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError("each must be 1 at least")
    return numbers


def _factors(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


def scenarios(options: argparse.Namespace) -> list[Scenario]:
    """The grid's cells."""
    base = Scenario(1, 1, options.seconds, options.calls, seed=options.seed)
    return [
        replace(base, times_the_limit=times, keys=keys, instances=instances)
        for times, keys, instances in product(options.times, options.keys, options.instances)
    ]


def _prepare_process() -> None:
    # A line for each key and instance that storage is too busy for would be thousands.
    logging.getLogger("gateway.ledger").setLevel(logging.CRITICAL)
    # The pool ends its processes itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def try_out(scenario: Scenario) -> list[Outcome]:
    """One cell; where storage is too busy for some calls, also what happens when these are allowed."""
    say(f"{scenario.instances:,} instances, {scenario.keys:,} keys, {scenario.times_the_limit:g} times the limit")
    outcome = simulate(scenario)
    return [outcome, simulate(replace(scenario, deny=False))] if outcome.unavailable else [outcome]


def _write(outcomes: list[Outcome], report: str) -> None:
    from bench.simulation.plot import draw

    draw([outcome for outcome in outcomes if outcome.scenario.deny], PLOT)
    DOCUMENT.write_text(with_results(DOCUMENT.read_text(), report, BEGIN))


if __name__ == "__main__":
    sys.exit(main())
