"""What one call holds of its limits, from the moment it is let through until it is settled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.ledger.meters import Charge
from gateway.ledger.pot import Pieces, Pot

if TYPE_CHECKING:
    from gateway.ledger.account import Account


@dataclass(slots=True)
class Holding:
    """What one charge took: enough to give it back, or to charge more."""

    account: Account
    pot: Pot
    charge: Charge
    pieces: Pieces
    epoch: int

    def longer_by(self, amount: int, pieces: Pieces) -> Holding:
        """With more charged to it, which counts in these slots."""
        taken: Counter[int] = Counter()
        for slot, part in (*self.pieces, *pieces):
            taken[slot] += part
        charge = replace(self.charge, amount=self.charge.amount + amount)
        return replace(self, charge=charge, pieces=tuple(taken.items()))

    def shorter_by(self, amount: int) -> Holding:
        """With less charged to it, the latest pieces first, as they are given back."""
        charge = replace(self.charge, amount=self.charge.amount - amount)
        kept = []
        for slot, part in reversed(self.pieces):
            dropped = min(amount, part)
            kept.append((slot, part - dropped))
            amount -= dropped
        return replace(self, charge=charge, pieces=tuple(reversed(kept)))


class Reservation:
    """What one call holds of the limits that apply to it, until it is settled."""

    __slots__ = ("_holdings",)

    def __init__(self, holdings: Sequence[Holding]) -> None:
        self._holdings = holdings
        for holding in holdings:
            holding.account.holdings += 1

    def settle(self, actual: Mapping[str, int]) -> None:
        """Charge what was really used, by unit; what is not named stays as reserved. Only the first time counts."""
        holdings, self._holdings = self._holdings, ()
        for holding in holdings:
            holding.account.holdings -= 1
            reserved = holding.charge.amount
            used = actual.get(holding.charge.meter.unit, reserved)
            if used < reserved:
                # What others can spend again was not wanted of storage after all.
                holding.pot.want_less(holding.account.refund(holding, reserved - used))
            elif used > reserved:
                holding.account.debit(holding, used - reserved)

    def adjust(self, actual: Mapping[str, int]) -> None:
        """Hold what is used, by unit, in the place of what was reserved. It is still to be settled."""
        self._holdings = [_adjusted(holding, actual) for holding in self._holdings]

    def extend(self, unit: str, amount: int) -> bool:
        """Reserve more of a unit in all its limits; False as soon as one has no room for it."""
        self._holdings = extended = list(self._holdings)
        for place, holding in enumerate(extended):
            if holding.charge.meter.unit == unit:
                pieces = holding.account.extend(holding, amount)
                if pieces is None:
                    return False
                extended[place] = holding.longer_by(amount, pieces)
        return True


def _adjusted(holding: Holding, actual: Mapping[str, int]) -> Holding:
    surplus = holding.charge.amount - actual.get(holding.charge.meter.unit, holding.charge.amount)
    if surplus > 0:
        holding.pot.want_less(holding.account.refund(holding, surplus))
        return holding.shorter_by(surplus)
    return holding.longer_by(-surplus, holding.account.debit(holding, -surplus)) if surplus else holding
