"""Judges the semantic cache by pairs of prompts: which it would serve, at which distance, with and without the guard.

Needs no network and no model: the vectors of the pairs are in bench/data/paraphrases. The same code gives the same
figures.

Exit codes: 0 judged, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from bench.documents import with_results
from bench.progress import say
from bench.quality.curves import curve
from bench.quality.pairs import Judged, Pair, judged, own_pairs, pairs_with_vectors
from bench.quality.report import render
from gateway.cache.guard import disagreement, fingerprint
from local.processes import REPOSITORY

DOCUMENT = REPOSITORY / "docs" / "cache-quality.md"
PLOT = REPOSITORY / "docs" / "cache-quality" / "curves.svg"
BEGIN = "<!-- results: written by `python -m bench.cache_quality --write-docs` -->"
EXAMPLES = """
examples:
  python -m bench.cache_quality               the curves, the recommended threshold, what is served by kind
  python -m bench.cache_quality --mistakes    also each pair that was served or refused wrongly, with the reason
  python -m bench.cache_quality --write-docs  into docs/cache-quality.md, with the plot
"""


def main(arguments: list[str] | None = None) -> int:
    """Judge, print, write."""
    options = parse(arguments)
    pairs, own = judged(pairs_with_vectors()), judged(own_pairs())
    report = render(pairs, own)
    print(report)
    if options.mistakes:
        print("\n".join(_mistakes([*pairs, *own])))
    _say_times([each.pair for each in pairs])
    if options.write_docs:
        _write(pairs, report)
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The options, checked."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.cache_quality",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--mistakes", action="store_true", help="name the pairs that were judged wrongly")
    parser.add_argument("--write-docs", action="store_true", help="put the results into docs/cache-quality.md")
    return parser.parse_args(arguments)


def _mistakes(pairs: Sequence[Judged]) -> list[str]:
    return [
        f"{each.pair.name} {each.pair.kind}: {each.reason or 'served'}\n  {each.pair.cached}\n  {each.pair.asked}"
        for each in pairs
        if each.pair.is_same != (each.reason is None)
    ]


def _say_times(pairs: Sequence[Pair]) -> None:
    begun = time.perf_counter()
    prints = [(fingerprint(pair.cached), fingerprint(pair.asked)) for pair in pairs]
    read = time.perf_counter()
    for cached, asked in prints:
        disagreement(cached, asked)
    done = time.perf_counter()
    say(
        f"a fingerprint took {(read - begun) / len(pairs) / 2 * 1e6:.0f} us, "
        f"a comparison {(done - read) / len(pairs) * 1e6:.0f} us"
    )


def _write(pairs: Sequence[Judged], report: str) -> None:
    from bench.quality.plot import draw

    draw(curve(pairs), PLOT)
    DOCUMENT.write_text(with_results(DOCUMENT.read_text(), report, BEGIN))


if __name__ == "__main__":
    sys.exit(main())
