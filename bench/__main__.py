"""Measures the gateway on this machine, in one run, beside nginx as a plain proxy to the same backend.

Progress goes to standard error, the results as Markdown to standard output, to results.md and to results.json. Goals
are named beside the figures, met or not; that one is missed is no failure of the run.

Exit codes: 0 measured, 1 could not measure, 2 wrong usage, 130 stopped.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from bench.documents import write_document, write_results
from bench.faults import BenchFailed
from bench.plan import FULL, LONG_REQUESTS, PARTS, QUICK, Plan
from bench.progress import say
from bench.report import render
from bench.run import measure
from local.processes import REPOSITORY, ProcessFailed
from local.run import Stopped, ignore_signals, stop_on_signals

STOPPED = 130
EXAMPLES = """
examples:
  python -m bench                          everything but the profile, about thirteen minutes
  python -m bench --quick                  the same, less exactly, in about a minute
  python -m bench --only imports           one part; may be repeated
  python -m bench --profile --write-docs   with a profile, and into docs/performance.md
  python -m bench --only memory --long     memory after a million requests
"""


def main(arguments: list[str] | None = None) -> int:
    """Measure, write, print."""
    options = parse(arguments)
    stop_on_signals()
    try:
        results = measure(plan_of(options), parts_of(options))
        ignore_signals()
        report = render(results)
        written = write_results(options.output, results, report)
        if options.write_docs:
            write_document(report)
    except Stopped:
        say("stopped")
        return STOPPED
    except (BenchFailed, ProcessFailed) as failure:
        print(failure, file=sys.stderr)
        return 1
    print(report)
    say(f"written to {' and '.join(str(path) for path in written)}")
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The options, checked."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="short rounds: for trying it out, not for quoting")
    parser.add_argument("--only", action="append", choices=PARTS, help="measure this part; may be repeated")
    parser.add_argument("--profile", action="store_true", help="also look where the worker's time goes, with py-spy")
    parser.add_argument("--long", action="store_true", help=f"memory after {LONG_REQUESTS:,} requests too")
    parser.add_argument(
        "--output", type=Path, default=REPOSITORY / ".local" / "bench", metavar="DIR", help="default: .local/bench"
    )
    parser.add_argument("--write-docs", action="store_true", help="put the results into docs/performance.md")
    options = parser.parse_args(arguments)
    if options.write_docs and options.only:
        parser.error("--write-docs needs a whole run, without --only")
    return options


def plan_of(options: argparse.Namespace) -> Plan:
    """How much to measure."""
    plan = QUICK if options.quick else FULL
    return replace(plan, memory_requests=(*plan.memory_requests, LONG_REQUESTS)) if options.long else plan


def parts_of(options: argparse.Namespace) -> list[str]:
    """What to measure."""
    parts = list(options.only) if options.only else [part for part in PARTS if part != "profile"]
    return [*parts, "profile"] if options.profile and "profile" not in parts else parts


if __name__ == "__main__":
    sys.exit(main())
