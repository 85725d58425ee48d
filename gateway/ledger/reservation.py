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
