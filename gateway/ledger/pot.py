"""What an instance may spend of one limit without asking: its leases, and how much it has been asked for lately."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.ledger.meters import Meter

# A pot nobody has spent from for so long gives back what it has.
IDLE_SECONDS = 0.6
# A lease is renewed when so much of it is left, or so much of its time.
RENEWED_AT = 0.3
# How much the demand of the time since the last look weighs against that before.
LATEST_WEIGHT = 0.5
SHORTEST_LOOK_SECONDS = 0.1
# What is left of a limit is plenty for a call of which so many would fit.
CALLS_OF_PLENTY = 1_000


@dataclass(slots=True)
class Lease:
    """A grant that is counted in `slot` already, and may be spent until it `expires`."""

    slot: int
    remaining: int
    expires: float
    low_water: int
    renew_at: float


# What was taken: slots, and how much of each.
Pieces = tuple[tuple[int, int], ...]


class Pot:
    """The leases of one limit on one meter of one counter key."""

    __slots__ = ("demand", "last_taken", "leases", "limit", "meter", "plenty", "rate", "_looked")

    def __init__(self, meter: Meter, limit: int, moment: float) -> None:
        self.meter = meter
        self.limit = limit
        self.leases: list[Lease] = []
        self.demand = 0
        # Who takes no more than this, when the latest lease was granted, takes a small part of what is left.
        self.plenty = 0
        self.rate = 0.0
        self.last_taken = moment
        self._looked = moment - SHORTEST_LOOK_SECONDS

    def take(self, amount: int, moment: float) -> Pieces | None:
        """Spend an amount, or nothing of it: None."""
        leases = self.leases
        if leases:
            lease = leases[0]
            if lease.remaining >= amount and moment < lease.expires:
                lease.remaining -= amount
                self.last_taken = moment
                return ((lease.slot, amount),)
            if self.available(moment) >= amount:
                return self._take_from_several(amount, moment)
        return None

    def _take_from_several(self, amount: int, moment: float) -> Pieces:
        pieces = []
        for lease in self.leases:
            part = min(amount, lease.remaining) if moment < lease.expires else 0
            if part:
                lease.remaining -= part
                amount -= part
                pieces.append((lease.slot, part))
        self.last_taken = moment
        return tuple(pieces)

    def give_back(self, slot: int, amount: int, moment: float) -> bool:
        """Put back into a lease that can still be spent; False if there is none of this slot."""
        for lease in self.leases:
            if lease.slot == slot and moment < lease.expires:
                lease.remaining += amount
                return True
        return False

    def want_less(self, amount: int) -> None:
        """So much of the demand has taken care of itself."""
        self.demand = max(0, self.demand - amount)

    def available(self, moment: float) -> int:
        """What can be spent now."""
        return sum([lease.remaining for lease in self.leases if moment < lease.expires])

    def needs_renewal(self, moment: float) -> bool:
        """True if what is left will soon be gone or over."""
        last = self.leases[-1] if self.leases else None
        return last is None or last.remaining <= last.low_water or moment >= last.renew_at

    def add(self, slot: int, amount: int, expires: float, moment: float) -> None:
        """A new grant. It joins what is left of the same slot; what is left of earlier ones is spent first."""
        renew_at = expires - RENEWED_AT * (expires - moment)
        low_water = int(amount * RENEWED_AT)
        self.leases = [lease for lease in self.leases if lease.remaining]
        last = self.leases[-1] if self.leases else None
        if last is not None and last.slot == slot:
            last.remaining += amount
            last.expires, last.low_water, last.renew_at = expires, low_water, renew_at
        else:
            self.leases.append(Lease(slot, amount, expires, low_water, renew_at))

    def clear(self, moment: float, *, everything: bool) -> Pieces:
        """Take out what can no longer be spent, or everything; returns what is left in it."""
        if not self.leases:
            return ()
        kept = [lease for lease in self.leases if not everything and moment < lease.expires and lease.remaining]
        left = tuple((lease.slot, lease.remaining) for lease in self.leases if lease not in kept and lease.remaining)
        self.leases = kept
        return left

    def look(self, moment: float) -> float:
        """What is asked for in a second, by the demand since the last look and before."""
        passed = moment - self._looked
        if passed >= SHORTEST_LOOK_SECONDS:
            latest = self.demand / passed
            self.rate = max(latest, self.rate + LATEST_WEIGHT * (latest - self.rate))
            self.demand, self._looked = 0, moment
        return self.rate

    def is_idle(self, moment: float) -> bool:
        """True if nobody has spent from it for a while."""
        return moment - self.last_taken >= IDLE_SECONDS
