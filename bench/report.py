"""The results as Markdown. Everything here is made from the figures alone."""

from __future__ import annotations

from collections.abc import Iterator

from bench.figures import ColdStart, Imports, LedgerUse, Memory, Profile, Results, Screening, Series, Spread, StorageUse
from bench.goals import added_first_event, added_latency, judge, ratio_of_nginx
from bench.stage import DIRECT, GATEWAY, KEPT, PLAIN
from bench.tables import bullets, table

QUICK_WARNING = "This was a quick run: its rounds are short, and its figures vary more than those of a full one."


def render(results: Results) -> str:
    """The whole report, without a title."""
    return "\n\n".join(section for section in _sections(results) if section) + "\n"


def _sections(results: Results) -> Iterator[str]:
    yield _about(results)
    yield _goals(results)
    if results.throughput:
        yield "### Small chat calls\n\n" + _throughput(results)
        yield _processor(results)
    if results.pairs:
        yield "### In short turns\n\n" + _pairs(results)
    if results.screening:
        yield "### Content safety\n\n" + _screening(results.screening)
    if results.streams:
        yield "### Event streams\n\n" + _streams(results)
    if results.imports:
        yield "### Import\n\n" + _imports(results.imports)
    if results.start:
        yield "### Cold start\n\n" + _start(results.start)
    if results.ledger:
        yield "### Ledger\n\n" + _ledger(results.ledger)
    if results.memory:
        yield "### Memory\n\n" + _memory(results.memory)
    if results.storage:
        yield "### Table Storage\n\n" + _storage(results.storage)
    if results.profile:
        yield "### Where the worker's time goes\n\n" + _profile(results.profile)


def _about(results: Results) -> str:
    lines = [f"{name}: {value}" for name, value in results.machine.items()]
    lines.insert(0, f"measured: {results.started}, {results.plan} run")
    warning = f"\n\n{QUICK_WARNING}" if results.plan == "quick" else ""
    return bullets(lines) + warning


def _goals(results: Results) -> str:
    rows = [(each.name, each.measured, each.goal, "met" if each.met else "**not met**") for each in judge(results)]
    return table(("Goal", "measured", "goal", ""), rows) if rows else ""


def _throughput(results: Results) -> str:
    rows = [(_load_row(results, series)) for series in results.throughput]
    header = (
        "",
        "connections",
        "requests/s",
        "min to max",
        "p50 ms",
        "p99 ms",
        "errors",
        "of plain",
        "of keepalive",
        "p50 added",
    )
    return table(header, rows)


def _load_row(results: Results, series: Series) -> tuple[str, ...]:
    ratios = [ratio_of_nginx(results, nginx, series.connections) for nginx in (PLAIN, KEPT)]
    added = added_latency(results, series.target) if series.connections == 1 and series.target != DIRECT else None
    rate = series.per_second
    return (
        series.target,
        str(series.connections),
        f"{rate.median:,.0f}",
        f"{rate.minimum:,.0f} to {rate.maximum:,.0f}",
        f"{series.p50.median:.2f}",
        f"{series.p99.median:.2f}",
        str(series.errors),
        *("" if ratio is None or series.target != GATEWAY else f"{ratio:.3f}" for ratio in ratios),
        "" if added is None else f"{added:+.2f} ms",
    )


def _pairs(results: Results) -> str:
    rows = []
    for each in results.pairs:
        one, other = (Spread.of(rates).median for rates in zip(*each.rates, strict=True))
        ratio = each.ratio
        rows.append(
            (
                each.target,
                each.beside,
                str(each.connections),
                str(len(each.rates)),
                f"{one:,.0f}",
                f"{other:,.0f}",
                f"{ratio.median:.3f}",
                f"{ratio.minimum:.3f} to {ratio.maximum:.3f}",
            )
        )
    header = ("", "beside", "connections", "turns", "requests/s", "of the other", "ratio, median", "min to max")
    return table(header, rows)


def _screening(screening: Screening) -> str:
    rows = [
        ("a new prompt of 200 words, p50", screening.prompt),
        ("the same, not screened", screening.prompt_unscreened),
        ("the service asked directly", screening.service),
        ("added to the service's own", screening.prompt_added),
        ("a stream's first text, after its first window and the service's time", screening.first_added),
        ("a screened stream, whole", screening.whole),
        ("the same, not screened", screening.whole_unscreened),
    ]
    header = ("", "milliseconds, median", "min to max")
    return table(
        header, [(name, f"{each.median:,.2f}", f"{each.minimum:,.2f} to {each.maximum:,.2f}") for name, each in rows]
    )


def _processor(results: Results) -> str:
    """Where the processors' time goes for one call through the gateway."""
    busiest = [series for series in results.throughput if series.target == GATEWAY and series.processor]
    used = busiest[-1].processor_use() if busiest else {}
    if not used:
        return ""
    names = list(dict.fromkeys(key.rpartition(",")[0] for key in used))
    rows = [(f"{name} of the gateway" if name == "worker" else name, *_cells(used, name)) for name in names]
    title = f"Processor time of one call through the gateway, {busiest[-1].connections} connections, in microseconds:"
    return f"{title}\n\n" + table(("process", "user", "system", "together"), rows)


def _cells(used: dict[str, float], name: str) -> tuple[str, ...]:
    user, system = used[f"{name}, user"], used[f"{name}, system"]
    return f"{user:.0f}", f"{system:.0f}", f"{user + system:.0f}"


def _streams(results: Results) -> str:
    rows = []
    for each in results.streams:
        added = added_first_event(results, each.target) if each.target != DIRECT else None
        rows.append(
            (
                each.target,
                f"{each.short_first_event.median:.2f}",
                "" if added is None else f"{added:+.2f}",
                f"{each.short_whole.median:.2f}",
                f"{each.burst_events_per_second.median:,.0f}",
                f"{each.paced_first_event.median:.2f}",
                f"{each.paced_whole.median:,.0f}",
                f"{each.paced_delay_p50:.2f} / {each.paced_delay_p99:.2f}",
                str(each.lost_events),
            )
        )
    header = (
        "", "first event ms", "added", "whole ms", "events/s, one fast stream",
        "first event ms, paced", "whole ms, paced", "an event's delay ms, p50 / p99", "events lost",
    )  # fmt: skip
    return table(header, rows)


def _imports(imports: Imports) -> str:
    rows = [
        ("import function_app", _seconds(imports.compiled)),
        ("the same, our own files not yet compiled", _seconds(imports.uncompiled)),
        ("a bare interpreter, not counted above", _seconds(imports.bare)),
    ]
    slowest = ", ".join(f"{name} {milliseconds:.0f}" for name, milliseconds in imports.slowest.items())
    return (
        table(("", "seconds, median (min to max)"), rows)
        + f"\n\n{imports.modules:,} modules are loaded. The most time of their own, in milliseconds: {slowest}."
    )


def _start(start: ColdStart) -> str:
    rows = [
        ("from the start of the processes to the first answered call", _seconds(start.whole)),
        ("of these: until the host knows the functions", _seconds(start.ready)),
        ("of these: the first call, which waits for the catalog", _seconds(start.first_call)),
        ("apart: what the stand-in for the host imports", _seconds(start.host_imports)),
        ("apart: what the Functions worker imports", _seconds(start.worker_imports)),
        ("apart: what function_app imports beyond that", _seconds(start.app_imports)),
    ]
    return table(("", "seconds, median (min to max)"), rows)


def _seconds(spread: Spread) -> str:
    return f"{spread.median:.3f} ({spread.minimum:.3f} to {spread.maximum:.3f})"


def _ledger(ledger: LedgerUse) -> str:
    rows = [("a reservation", ledger.admissions), ("a reservation, settled to less", ledger.settled)]
    header = ("one process, one key, one limit", "a second, median (min to max)")
    rates = [(name, f"{rate.median:,.0f} ({rate.minimum:,.0f} to {rate.maximum:,.0f})") for name, rate in rows]
    return table(header, rates) + f"\n\n{ledger.operations:.2f} storage requests a second meanwhile."


def _memory(memory: Memory) -> str:
    rows = [("0", f"{memory.at_start:.1f}")]
    rows += [(f"{requests:,}", f"{megabytes:.1f}") for requests, megabytes in memory.after.items()]
    return table(("requests since the start", "resident MB of the worker"), rows)


def _storage(uses: tuple[StorageUse, ...]) -> str:
    kinds = sorted({kind for use in uses for kind in use.requests})
    rows = [
        (
            f"{use.calls:,}",
            f"{use.seconds:.0f}",
            *(str(use.requests.get(kind, 0)) for kind in kinds),
            str(use.total),
        )
        for use in uses
    ]
    return table(("calls made", "seconds", *(f"`{kind}`" for kind in kinds), "storage requests"), rows)


def _profile(profile: Profile) -> str:
    components = [(name, f"{samples / profile.samples:.0%}") for name, samples in profile.components.items()]
    functions = [
        (f"`{name}`", f"{samples / profile.samples:.1%}") for name, samples in list(profile.functions.items())[:10]
    ]
    return (
        table(("component", "share"), components)
        + f"\n\n{profile.samples:,} samples. The functions most often at work themselves:\n\n"
        + table(("function", "share"), functions)
    )
