"""The pots of one counter key: one for each of its meters and the limit that applies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from gateway.ledger.meters import Charge, Meter
from gateway.ledger.pot import Pot


class Pots:
    """`returns` is told, by meter and slot, what was leased and will not be spent."""

    def __init__(self, returns: Counter[tuple[Meter, int]]) -> None:
        self._returns = returns
        self._pots: dict[tuple[Meter, int], Pot] = {}

    def find(self, charge: Charge) -> Pot | None:
        """The pot of a charge's meter and limit, if it was ever charged."""
        return self._pots.get((charge.meter, charge.limit))

    def of(self, charge: Charge, now: float) -> Pot:
        """The same, made if it is not there."""
        key = (charge.meter, charge.limit)
        pot = self._pots.get(key)
        if pot is None:
            for other in self._pots.values():
                if other.meter is charge.meter:
                    # The limit may have been changed: what is leased under the one before is room under this one.
                    self._give_back(other, now, everything=True)
            pot = self._pots[key] = Pot(charge.meter, charge.limit, now)
        return pot

    def have_plenty(self, charges: Sequence[Charge]) -> bool:
        """True if each charge is a small part of what was left of its limit when the latest lease was granted."""
        for charge in charges:
            pot = self.find(charge)
            if pot is None or charge.amount > pot.plenty:
                return False
        return True

    def in_use(self, now: float) -> Iterator[Pot]:
        """Those that somebody wants to spend from."""
        return (pot for pot in self._pots.values() if pot.demand or not pot.is_idle(now))

    @property
    def hold_something(self) -> bool:
        """True if anything is leased."""
        return any(pot.leases for pot in self._pots.values())

    def retire(self, now: float, *, idle_too: bool, everything: bool = False) -> bool:
        """Give back what is over by then; true if there is any."""
        pots = self._pots.values()
        given = [self._give_back(pot, now, everything or (idle_too and pot.is_idle(now))) for pot in pots]
        return any(given)

    def _give_back(self, pot: Pot, now: float, everything: bool) -> bool:
        left = pot.clear(now, everything=everything)
        for slot, amount in left:
            self._returns[pot.meter, slot] += amount
        return bool(left)

    def forget_leases(self) -> None:
        """Nothing that was granted counts any more."""
        for pot in self._pots.values():
            pot.leases.clear()
