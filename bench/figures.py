"""What was measured, as plain data: it is written to results.json as it is, and every table is made from it."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Spread:
    """One figure over several rounds."""

    median: float
    minimum: float
    maximum: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """The spread of at least one value."""
        listed = list(values)
        return cls(statistics.median(listed), min(listed), max(listed))


@dataclass(frozen=True)
class Load:
    """One run of wrk. Times are in milliseconds; `errors` are connections broken, time-outs and statuses of 400 up."""

    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int

    @property
    def per_second(self) -> float:
        """Requests answered a second."""
        return self.requests / self.seconds


@dataclass(frozen=True)
class Series:
    """All rounds of one target at one number of connections.

    `processor` holds the processor time of each process in microseconds a request, a mapping for each round.
    """

    target: str
    connections: int
    loads: tuple[Load, ...]
    processor: tuple[Mapping[str, float], ...] = ()

    @property
    def per_second(self) -> Spread:
        """Requests a second."""
        return Spread.of(load.per_second for load in self.loads)

    @property
    def p50(self) -> Spread:
        """Milliseconds half of the calls took at most."""
        return Spread.of(load.p50 for load in self.loads)

    @property
    def p99(self) -> Spread:
        """Milliseconds 99 of 100 calls took at most."""
        return Spread.of(load.p99 for load in self.loads)

    @property
    def errors(self) -> int:
        """Calls that failed, in all rounds."""
        return sum(load.errors for load in self.loads)

    def processor_use(self) -> dict[str, float]:
        """Microseconds a request of each process, the median of the rounds."""
        names = list(self.processor[0]) if self.processor else []
        return {name: statistics.median(each[name] for each in self.processor) for name in names}


@dataclass(frozen=True)
class Pairs:
    """Requests a second of two targets, measured directly after each other in every turn: (`target`, `beside`)."""

    target: str
    beside: str
    connections: int
    rates: tuple[tuple[float, float], ...]

    @property
    def ratio(self) -> Spread:
        """Of the target to the other, turn by turn."""
        return Spread.of(one / other for one, other in self.rates)


@dataclass(frozen=True)
class Streams:
    """Event streams through one target. Times are in milliseconds, from the request's last byte on.

    short: one after another, of a few events without pause. burst: one long stream as fast as it goes.
    paced: many at once, an event each few milliseconds; `paced_delay` is how long an event was under way.
    """

    target: str
    short_first_event: Spread
    short_whole: Spread
    burst_events_per_second: Spread
    paced_first_event: Spread
    paced_whole: Spread
    paced_delay_p50: float
    paced_delay_p99: float
    lost_events: int


@dataclass(frozen=True)
class Screening:
    """Content safety whose service must be asked, in milliseconds.

    `prompt` and `prompt_unscreened` are the p50 of calls with new prompts in each turn, `service` that of the service
    asked directly; `prompt_added` is what is left of the first without the other two. `first_added` is from the event
    that fills a stream's first window to the first text, without the service's time.
    """

    prompt: Spread
    prompt_unscreened: Spread
    service: Spread
    prompt_added: Spread
    first_added: Spread
    whole: Spread
    whole_unscreened: Spread

    @property
    def whole_ratio(self) -> float:
        """Of a screened stream to an unscreened one."""
        return self.whole.median / self.whole_unscreened.median


@dataclass(frozen=True)
class Imports:
    """Seconds that `import function_app` adds to a bare interpreter.

    `uncompiled` is the same from a folder in which our own files have no cached bytecode, as in a fresh deployment.
    `slowest` are the ten dearest modules by their own time, in milliseconds. `unwanted` are modules that must not be
    imported and are.
    """

    bare: Spread
    compiled: Spread
    uncompiled: Spread
    modules: int
    slowest: Mapping[str, float]
    unwanted: tuple[str, ...]


@dataclass(frozen=True)
class ColdStart:
    """Seconds from the start of the host's process to the first answered call, `ready` and `first_call` together.

    `ready` is when the worker has told the host its functions. The imports are measured apart, in fresh interpreters:
    the host's own, the worker's beyond a bare interpreter, and the app's beyond the worker's.
    """

    whole: Spread
    ready: Spread
    first_call: Spread
    host_imports: Spread
    worker_imports: Spread
    app_imports: Spread


@dataclass(frozen=True)
class Memory:
    """Resident megabytes of the worker process after so many requests since its start."""

    at_start: float
    after: Mapping[int, float]


@dataclass(frozen=True)
class StorageUse:
    """Requests that reached Table Storage, by kind, while calls were made."""

    connections: int
    calls: int
    seconds: float
    requests: Mapping[str, int]

    @property
    def total(self) -> int:
        """Of all kinds."""
        return sum(self.requests.values())


@dataclass(frozen=True)
class LedgerUse:
    """Admissions a second from leases in one process, alone and with what was reserved settled to less.

    `operations` are requests to storage a second meanwhile.
    """

    admissions: Spread
    settled: Spread
    operations: float


@dataclass(frozen=True)
class Profile:
    """Samples of the worker's stacks under load: by component, and the functions most often on top."""

    samples: int
    components: Mapping[str, int]
    functions: Mapping[str, int]


@dataclass(frozen=True)
class Results:
    """One run. A part that was not asked for is None or empty."""

    plan: str
    started: str
    machine: Mapping[str, str]
    throughput: tuple[Series, ...] = ()
    pairs: tuple[Pairs, ...] = ()
    streams: tuple[Streams, ...] = ()
    screening: Screening | None = None
    imports: Imports | None = None
    start: ColdStart | None = None
    ledger: LedgerUse | None = None
    memory: Memory | None = None
    storage: tuple[StorageUse, ...] = ()
    profile: Profile | None = None

    def series(self, target: str, connections: int) -> Series | None:
        """The rounds of one target, None if it was not measured."""
        found = [each for each in self.throughput if (each.target, each.connections) == (target, connections)]
        return found[0] if found else None

    def stream(self, target: str) -> Streams | None:
        """The streams through one target, None if it was not measured."""
        found = [each for each in self.streams if each.target == target]
        return found[0] if found else None
