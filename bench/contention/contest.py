"""What is tried: how many processes spend from one counter, how fast, and whether they are killed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Self

from gateway.ledger.meters import Calendar, Charge, Meter, Sliding


@dataclass(frozen=True)
class Contest:
    """Amounts are in tokens. The demand, of all processes together, is `times_the_limit` in each window.

    With `quota` the limit is on the day, and large enough to last half the time. One process is killed each
    `kill_seconds` on average; 0: none. Clocks of processes are off by up to `clock_seconds`. Processes that do not
    share keep a counter each, which breaks the limit: so it is shown that this would be seen.
    """

    processes: int = 8
    seconds: float = 180.0
    limit: int = 60_000
    window: int = 60
    times_the_limit: float = 5.0
    quota: bool = False
    kill_seconds: float = 4.0
    clock_seconds: float = 0.0
    shared: bool = True
    smallest: int = 50
    largest: int = 150
    seed: int = 1
    name: str = "contested"

    @property
    def calls_a_second(self) -> float:
        """Of one process."""
        tokens = self.limit / self.window * self.times_the_limit
        return tokens / ((self.smallest + self.largest) / 2) / self.processes

    @property
    def meter(self) -> Meter:
        """What is counted."""
        return Meter("tokens", Calendar("Daily") if self.quota else Sliding(self.window))

    @property
    def allowed(self) -> int:
        """Tokens in a window, or in a day."""
        if not self.quota:
            return self.limit
        return int(self.limit / self.window * self.times_the_limit * self.seconds / 2)

    def key(self, number: int) -> str:
        """The counter key of a process."""
        return self.name if self.shared else f"{self.name}-{number}"

    def charge(self, number: int, amount: int) -> Charge:
        """What one call of a process wants. No storage, no admission: what is tried is the limit."""
        return Charge(self.key(number), self.meter, self.allowed, amount, deny=True)

    def clock_offset(self, number: int) -> float:
        """Seconds by which a process's clock is off: from the slowest to the fastest, evenly."""
        return self.clock_seconds * (2 * number / max(1, self.processes - 1) - 1)

    def to_text(self) -> str:
        """For a process's command line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """As it was given."""
        return cls(**json.loads(text))
