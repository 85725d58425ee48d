"""One write to a counter key's record: what is given back, what is owed, and what is granted to whom."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.ledger.meters import Calendar, Charge, Meter
from gateway.ledger.pot import Pot
from gateway.ledger.record import Record
from gateway.ledger.refusals import LimitReached
from gateway.ledger.server_clock import DRIFT

Amounts = Mapping[tuple[Meter, int], int]

# Beyond what is needed at once, a lease takes at most so much of what is left: nearer to the limit leases get smaller,
# until they are the exact need.
SHARE_OF_REST = 0.5

# Where others write the record too, an exchange takes two operations, so that there is one a second, and a lease must
# outlast it. Longer ones count for longer after they are spent, so they are for ample room: so many times as much.
LONG_HORIZON_SECONDS = 3.0
AMPLE = 32

# So much longer than is known now a refusal may have to last, at most.
MOST_DRIFT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Moment:
    """The time as an instance knows it: `now`, right to within `uncertainty`; leases are wanted for `horizon` seconds.

    What somebody waits for is spent as soon as the write is back, in `shortest` seconds.
    """

    now: float
    uncertainty: float
    horizon: float
    shortest: float

    @property
    def latest_past(self) -> float:
        """By this moment things have certainly stopped counting that stop counting by it."""
        return self.now - self.uncertainty

    def until_certain(self, charges: Iterable[Charge]) -> float:
        """Seconds to wait around the end of a calendar window, when nobody knows for a moment which one it is."""
        for charge in charges:
            window = charge.meter.window
            if isinstance(window, Calendar):
                end = window.end(window.slot(self.latest_past))
                if self.now + self.uncertainty + self.shortest >= end:
                    return end + self.uncertainty - self.now
        return 0.0

    def slot_to_spend(self, meter: Meter, seconds: float) -> tuple[int, float]:
        """The slot to count what is spent within `seconds`, and when a lease of it expires."""
        window = meter.window
        if isinstance(window, Calendar):
            # Nothing is spent in a period that may not have begun.
            slot = window.slot(self.latest_past)
        else:
            slot = window.slot(self.now + self.uncertainty + seconds)
        return slot, window.end(slot) - self.uncertainty


@dataclass(slots=True)
class Grant:
    """An amount added to a pot's slot."""

    pot: Pot
    slot: int
    amount: int
    expires: float


@dataclass(slots=True)
class Plan:
    """A new record, and what it means. `refusals` has those, by their place among the waiting, who get nothing."""

    record: Record
    mark: str
    debts: Amounts
    returns: Amounts
    grants: list[Grant] = field(default_factory=list)
    refusals: dict[int, LimitReached] = field(default_factory=dict)

    @property
    def changes_something(self) -> bool:
        """True if it has to be written."""
        return bool(self.debts or self.returns or self.grants)


class Planner:
    """Makes a Plan from a record and everything that an instance wants of it."""

    def __init__(self, record: Record, moment: Moment, debts: Amounts, returns: Amounts) -> None:
        self._moment = moment
        self.plan = Plan(record.copy(), secrets.token_hex(3), dict(debts), dict(returns))
        self._spare: dict[Pot, int] = {}
        self._needs: dict[Pot, int] = {}
        self.plan.record.forget(moment.latest_past)
        for (meter, slot), amount in debts.items():
            self.plan.record.count(meter).add(slot, amount)
        # After the debts: part of one may be given back, and no count goes below 0.
        for (meter, slot), amount in returns.items():
            self.plan.record.count(meter).add(slot, -amount)

    def serve(self, waiting: Iterable[Sequence[tuple[Pot, Charge]]]) -> None:
        """Those who wait, in the order in which they came: each gets all it asks for, or a refusal."""
        for place, wanted in enumerate(waiting):
            refusal = next((found for pot, charge in wanted if (found := self._refusal(pot, charge))), None)
            if refusal is not None:
                self.plan.refusals[place] = refusal
                continue
            for pot, charge in wanted:
                self._need(pot, charge.amount)

    def _refusal(self, pot: Pot, charge: Charge) -> LimitReached | None:
        lacking = charge.amount - self._spare_of(pot)
        room = pot.limit - self._used(pot)
        if lacking <= room:
            return None
        return refusal(self.plan.record, charge, self._moment, lacking - room)

    def _used(self, pot: Pot) -> int:
        # Limits on one meter share its count: what is needed under the others is as good as used.
        needs = sum(need for other, need in self._needs.items() if other.meter == pot.meter)
        return self.plan.record.used(pot.meter, self._moment.latest_past) + needs

    def _spare_of(self, pot: Pot) -> int:
        spare = self._spare.get(pot)
        if spare is None:
            # What has little time left may be over when the write is back.
            spare = self._spare[pot] = pot.available(self._moment.now + self._moment.shortest)
        return spare

    def _need(self, pot: Pot, amount: int) -> None:
        spare = self._spare_of(pot)
        self._spare[pot] = max(0, spare - amount)
        self._needs[pot] = self._needs.get(pot, 0) + max(0, amount - spare)

    def grant(self, in_use: Iterable[Pot]) -> None:
        """What was found to be needed, and for pots in use so much more that the next second needs no write."""
        for pot in dict.fromkeys([*self._needs, *in_use]):
            room = pot.limit - self._used(pot)
            need = self._needs.pop(pot, 0)
            wanted, share, seconds = self._wanted(pot), int(room * SHARE_OF_REST), self._moment.horizon
            if wanted > share:
                # What is scarce is spent at once, so it need not count for longer.
                wanted, seconds = max(0, share), self._moment.shortest
            elif pot.rate * LONG_HORIZON_SECONDS * AMPLE <= room:
                wanted, seconds = self._wanted(pot, LONG_HORIZON_SECONDS), max(seconds, LONG_HORIZON_SECONDS)
            if need or wanted > 0:
                self._grant(pot, need + max(0, wanted), seconds)

    def _wanted(self, pot: Pot, seconds: float = 0.0) -> int:
        """What the demand of the last look will spend in the horizon, or in so many seconds, beyond what is leased."""
        return int(pot.look(self._moment.now) * max(seconds, self._moment.horizon)) - self._spare_of(pot)

    def _grant(self, pot: Pot, amount: int, seconds: float) -> None:
        slot, expires = self._moment.slot_to_spend(pot.meter, seconds)
        count = self.plan.record.count(pot.meter)
        count.add(slot, amount)
        count.limit = pot.limit
        self.plan.grants.append(Grant(pot, slot, amount, expires))


def refusal(record: Record, charge: Charge, moment: Moment, surplus: int) -> LimitReached:
    """Why `surplus` of a charge does not fit, and when it will."""
    if charge.amount > charge.limit:
        return LimitReached(charge, None)
    count = record.counts.get(charge.meter)
    slots = count.slots if count else {}
    wait = charge.meter.window.frees(slots, moment.latest_past, surplus) + moment.uncertainty - moment.now
    # By then the time may be known less well: so much since it was last told, as long before as after at most.
    return LimitReached(charge, max(0.0, wait + min(2 * DRIFT * wait, MOST_DRIFT_SECONDS)))
