"""What counts against the limits of one counter key, as far as an instance knows.

That is the record as it was last seen, and what storage has yet to hear.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.ledger.exchange import Exchange
from gateway.ledger.meters import Charge, Meter
from gateway.ledger.plan import Amounts, Plan, refusal
from gateway.ledger.record import Record
from gateway.ledger.refusals import LimitReached


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a record says of a meter, and when it will say something else."""

    record: Record | None
    used: int
    until: float
    changes_at: float

    @classmethod
    def of(cls, record: Record | None, meter: Meter, moment: float) -> _Seen:
        count = record.counts.get(meter) if record else None
        slots, window = count.slots if count else {}, meter.window
        until = window.counts_until(max(slots)) if slots else 0.0
        return cls(record, window.used(slots, moment), until, window.frees(slots, moment, 1))


class Balance:
    """`debts` were spent beyond what was granted; `returns` were granted and not spent. Both by meter and slot."""

    def __init__(self, exchange: Exchange) -> None:
        self.debts: Counter[tuple[Meter, int]] = Counter()
        self.returns: Counter[tuple[Meter, int]] = Counter()
        self._exchange = exchange
        self._seen: dict[Meter, _Seen] = {}

    @property
    def is_settled(self) -> bool:
        """True if storage has heard of everything."""
        return not self.debts and not self.returns

    @property
    def is_known(self) -> bool:
        """True once the record has been seen."""
        return self._exchange.record is not None

    def owe(self, meter: Meter, amount: int) -> int:
        """Count something that was spent without a grant; returns the slot it counts in."""
        slot, _ = self._exchange.moment().slot_to_spend(meter, 0.0)
        self.debts[meter, slot] += amount
        return slot

    def reached(self, charge: Charge, available: int = 0) -> LimitReached | None:
        """Why a charge does not fit, `available` being leased to this instance; None if it does."""
        if charge.amount > charge.limit:
            return LimitReached(charge, None)
        moment, view = self._exchange.moment(), self._view()
        surplus = view.used(charge.meter, moment.latest_past) + charge.amount - charge.limit - available
        return refusal(view, charge, moment, surplus) if surplus > 0 else None

    def standing(self, meter: Meter, now: float) -> tuple[int, float]:
        """What counts now, leases included, and until when any of it does (0 if nothing does)."""
        exchange = self._exchange
        moment = now - exchange.clock.uncertainty
        seen = self._seen.get(meter)
        if seen is None or seen.record is not exchange.record or moment >= seen.changes_at:
            seen = self._seen[meter] = _Seen.of(exchange.record, meter, moment)
        if not self.debts and not self.returns:
            return seen.used, seen.until
        used = seen.used + _sum(self.debts, meter, moment) - _sum(self.returns, meter, moment)
        owed = [meter.window.counts_until(slot) for owing, slot in self.debts if owing is meter]
        return used, max([seen.until, *owed])

    def unpushed(self) -> tuple[Amounts, Amounts]:
        """What storage has yet to hear: debts and returns."""
        return dict(self.debts), dict(self.returns)

    def pushed(self, plan: Plan) -> None:
        """Storage has heard of what this plan says."""
        for pending, told in ((self.debts, plan.debts), (self.returns, plan.returns)):
            pending.subtract(told)
            for key in told:
                if not pending[key]:
                    del pending[key]

    def _view(self) -> Record:
        record = self._exchange.record or Record()
        if self.is_settled:
            return record
        view = record.copy()
        for (meter, slot), amount in self.debts.items():
            view.count(meter).add(slot, amount)
        for (meter, slot), amount in self.returns.items():
            view.count(meter).add(slot, -amount)
        return view


def first_reached(balance: Balance, charges: Sequence[Charge]) -> LimitReached | None:
    """The first of these charges that does not fit, nothing being leased."""
    return next((found for charge in charges if (found := balance.reached(charge))), None)


def _sum(amounts: Amounts, meter: Meter, moment: float) -> int:
    of_meter = {slot: amount for (owed, slot), amount in amounts.items() if owed == meter}
    return meter.window.used(of_meter, moment) if of_meter else 0
