"""Who waits for charges that the leases at hand have not enough for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.ledger.meters import Charge
from gateway.ledger.refusals import LedgerUnavailable, LimitReached
from gateway.ledger.reservation import Holding


@dataclass(frozen=True, slots=True, eq=False)
class Waiter:
    """One of them."""

    charges: Sequence[Charge]
    answer: asyncio.Future[list[Holding]]


class Waiters:
    """In the order in which they came."""

    def __init__(self) -> None:
        self._waiters: list[Waiter] = []

    def __bool__(self) -> bool:
        return bool(self._waiters)

    def add(self, charges: Sequence[Charge]) -> Waiter:
        """One more."""
        waiter = Waiter(charges, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        return waiter

    def wanted(self) -> Sequence[Sequence[Charge]]:
        """What each of those wants who have not left meanwhile."""
        self._waiters = [waiter for waiter in self._waiters if not waiter.answer.done()]
        return [waiter.charges for waiter in self._waiters]

    def answer(self, answer: Callable[[int, Sequence[Charge]], list[Holding] | None]) -> None:
        """Let each go, with what `answer` has or raises for it by its place and its charges; None keeps it waiting."""
        waiters, self._waiters = self._waiters, []
        for place, waiter in enumerate(waiters):
            if waiter.answer.done():
                continue
            try:
                holdings = answer(place, waiter.charges)
            except (LimitReached, LedgerUnavailable) as refused:
                waiter.answer.set_exception(refused)
                continue
            if holdings is None:
                self._waiters.append(waiter)
            else:
                waiter.answer.set_result(holdings)
