"""Several instances, in processes of their own, spend from one counter in one Azurite, and are killed at random.

Each admission is written down before it is used. Afterwards every span of a window's length is looked at, wherever it
begins: none may hold more than the limit. Without kills at least 95 % of the limit must be used.

Exit codes: 0 the promises hold, 1 one is broken or it could not be tried, 2 wrong usage, 130 stopped.
"""

from __future__ import annotations

import argparse
import sys

from bench.contention.contest import Contest
from bench.contention.run import hold
from bench.contention.verdict import Verdict
from bench.progress import say
from bench.tables import table
from local.azurite import Azurite
from local.processes import ProcessFailed
from local.run import Stopped, stop_on_signals

STOPPED = 130
EXAMPLES = """
examples:
  python -m bench.kill_test                      three minutes, a process killed every four seconds
  python -m bench.kill_test --no-kills           how much of the limit is used
  python -m bench.kill_test --quota              a daily quota, instead of a minute's limit
  python -m bench.kill_test --clock-seconds 3    clocks off by up to three seconds
"""


def main(arguments: list[str] | None = None) -> int:
    """Hold a contest and print what came of it."""
    contest = contest_of(parse(arguments))
    stop_on_signals()
    try:
        say(f"{contest.processes} processes spend for {contest.seconds:.0f} s")
        with Azurite() as azurite:
            verdict = hold(contest, azurite.connection_string)
    except Stopped:
        say("stopped")
        return STOPPED
    except ProcessFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    print(render(verdict))
    failings = verdict.failings()
    for failing in failings:
        print(failing, file=sys.stderr)
    return 1 if failings else 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The options, checked."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.kill_test",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=180.0, help="how long; default: 180")
    parser.add_argument("--processes", type=int, default=8, help="default: 8")
    parser.add_argument("--limit", type=int, default=60_000, help="tokens in a window; default: 60000")
    parser.add_argument("--window", type=int, default=60, help="its seconds; default: 60")
    parser.add_argument("--no-kills", action="store_true", help="let all processes live")
    parser.add_argument("--quota", action="store_true", help="a daily quota that is used up in half the time")
    parser.add_argument("--clock-seconds", type=float, default=0.0, help="how far clocks are off; default: 0")
    parser.add_argument("--seed", type=int, default=1, help="of the random choices; default: 1")
    options = parser.parse_args(arguments)
    if options.seconds <= options.window and not options.quota:
        parser.error("--seconds must be more than --window, or there is no whole window to look at")
    return options


def contest_of(options: argparse.Namespace) -> Contest:
    """What is to be tried."""
    return Contest(
        processes=options.processes,
        seconds=options.seconds,
        limit=options.limit,
        window=options.window,
        quota=options.quota,
        kill_seconds=0.0 if options.no_kills else Contest.kill_seconds,
        clock_seconds=options.clock_seconds,
        seed=options.seed,
    )


def render(verdict: Verdict) -> str:
    """The figures, as a Markdown table."""
    contest = verdict.contest
    span = "the day" if contest.quota else f"the fullest {contest.window} s"
    rows = [
        ("processes", str(contest.processes)),
        ("seconds", f"{contest.seconds:.0f}"),
        ("kills (SIGKILL), each with a restart", str(verdict.kills)),
        ("clocks off by up to, seconds", f"{contest.clock_seconds:g}"),
        ("calls admitted", f"{verdict.admissions:,}"),
        ("calls refused", f"{verdict.refusals:,}"),
        ("limit, tokens", f"{contest.allowed:,}"),
        (f"admitted in {span}, tokens", f"{verdict.most:,}"),
        ("admitted over the limit, tokens", f"{verdict.over:,}"),
        ("of the limit used", f"{verdict.used:.1%}"),
        ("largest lease, tokens", f"{verdict.largest_grant:,}"),
    ]
    if contest.quota:
        rows.append(("granted and lost by kills, tokens", f"{verdict.lost:,}"))
    return table(("Measured", ""), rows)


if __name__ == "__main__":
    sys.exit(main())
