"""One simulation: so many instances and keys, a steady demand, and what came of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.simulation.store import PARTITION_A_SECOND, SimulatedStore
from bench.simulation.virtual_loop import run
from bench.spans import Admission, fullest_span, mean_span
from gateway.ledger.ledger import Ledger
from gateway.ledger.meters import Charge, Meter, Sliding
from gateway.ledger.refusals import LedgerUnavailable, LimitReached
from gateway.ledger.store import RecordStore

BEGIN = 1_800_000_000.0
WINDOW_SECONDS = 60


@dataclass(frozen=True)
class Scenario:
    """What is simulated. Demand is in calls a second of all instances together; sizes are in tokens, evenly spread.

    Each key's limit is its part of the demand divided by `times_the_limit`. Clocks are off by up to `clock_seconds`.
    """

    instances: int
    keys: int
    seconds: int = 180
    calls_a_second: float = 1_000.0
    times_the_limit: float = 2.0
    smallest: int = 100
    largest: int = 1_900
    clock_seconds: float = 3.0
    deny: bool = True
    partition_a_second: int = PARTITION_A_SECOND
    seed: int = 1

    @property
    def limit(self) -> int:
        """Tokens a minute of one key."""
        demand = self.calls_a_second * (self.smallest + self.largest) / 2
        return int(demand * WINDOW_SECONDS / self.times_the_limit / self.keys)


@dataclass(frozen=True)
class Outcome:
    """What was found.

    `over` is what the fullest 60 seconds of any key hold above its limit, in tokens; `used` is the part of the limit
    that 60 seconds of a key hold on average. Operations are requests that reached storage, repetitions included, of a
    second. Latencies are those of `reserve`, in milliseconds.
    """

    scenario: Scenario
    admitted: int
    refused: int
    unavailable: int
    over: int
    used: float
    operations: float
    busiest_partition: int
    conflicts: float
    busy: float
    p50: float
    p99: float

    @property
    def operations_of_an_instance(self) -> float:
        """A second, for all its keys."""
        return self.operations / self.scenario.instances

    @property
    def unavailable_share(self) -> float:
        """The part of all calls that storage was too busy for."""
        return self.unavailable / (self.admitted + self.refused + self.unavailable)


@dataclass
class _Log:
    admissions: dict[str, list[Admission]] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    refused: int = 0
    unavailable: int = 0


# What an instance sees of the store.
Sight = Callable[[SimulatedStore], RecordStore]


def simulate(scenario: Scenario, sight: Sight = SimulatedStore.seen_by_one) -> Outcome:
    """Run it; the same seed gives the same outcome."""
    return run(_Cell(scenario, sight).run())


class _Cell:
    def __init__(self, scenario: Scenario, sight: Sight) -> None:
        self._scenario = scenario
        self._sight = sight
        self._rng = random.Random(f"calls {scenario.seed}")
        rng = random.Random(f"store {scenario.seed}")
        self._store = SimulatedStore(rng, BEGIN, scenario.partition_a_second)
        self._ledgers = [self._instance(number) for number in range(scenario.instances)]
        self._keys = [f"subscription:{number}" for number in range(scenario.keys)]
        self._meter = Meter("tokens", Sliding(WINDOW_SECONDS))
        self._log = _Log()

    def _instance(self, number: int) -> Ledger:
        rng = random.Random(f"instance {number} {self._scenario.seed}")
        off = rng.uniform(-self._scenario.clock_seconds, self._scenario.clock_seconds)

        def now() -> float:
            return self._store.now() + off

        return Ledger(self._sight(self._store), now, rng)

    async def run(self) -> Outcome:
        loop, scenario = asyncio.get_running_loop(), self._scenario
        moment = 0.0
        while (moment := moment + self._rng.expovariate(scenario.calls_a_second)) < scenario.seconds:
            await asyncio.sleep(moment - loop.time())
            number, key = self._rng.randrange(scenario.instances), self._rng.choice(self._keys)
            call = self._call(self._ledgers[number], key, self._rng.randint(scenario.smallest, scenario.largest))
            # Most calls never wait, and need no turn of the loop of their own then.
            asyncio.eager_task_factory(loop, call)
        return self._outcome()

    async def _call(self, ledger: Ledger, key: str, amount: int) -> None:
        loop, log = asyncio.get_running_loop(), self._log
        began = loop.time()
        charge = Charge(key, self._meter, self._scenario.limit, amount, deny=self._scenario.deny)
        try:
            reservation = await ledger.reserve([charge])
        except LimitReached:
            log.refused += 1
        except LedgerUnavailable:
            log.unavailable += 1
        else:
            log.admissions.setdefault(key, []).append(Admission(loop.time(), amount))
            reservation.settle({"tokens": amount})
        log.latencies.append(loop.time() - began)

    def _outcome(self) -> Outcome:
        scenario, log, counted = self._scenario, self._log, self._store.operations
        ordered = sorted(log.latencies)
        return Outcome(
            scenario=scenario,
            admitted=sum(len(each) for each in log.admissions.values()),
            refused=log.refused,
            unavailable=log.unavailable,
            over=self._over(),
            used=self._used(),
            operations=(counted["read"] + counted["write"]) / scenario.seconds,
            busiest_partition=self._store.busiest_partition,
            conflicts=counted["conflict"] / scenario.seconds,
            busy=counted["busy"] / scenario.seconds,
            p50=1e3 * ordered[len(ordered) // 2],
            p99=1e3 * ordered[len(ordered) * 99 // 100],
        )

    def _over(self) -> int:
        fullest = (fullest_span(each, WINDOW_SECONDS).amount for each in self._log.admissions.values())
        return max(0, max(fullest, default=0) - self._scenario.limit)

    def _used(self) -> float:
        everything = [admission for each in self._log.admissions.values() for admission in each]
        mean = mean_span(everything, WINDOW_SECONDS, 0.0, self._scenario.seconds)
        return mean / (self._scenario.limit * self._scenario.keys)
