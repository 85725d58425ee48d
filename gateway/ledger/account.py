"""One counter key as an instance sees it: what it may spend at once, who waits, and what storage has yet to hear."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any

from gateway.errors import StorageUnavailable
from gateway.ledger.balance import Balance, first_reached
from gateway.ledger.exchange import Exchange
from gateway.ledger.meters import Calendar, Charge, Meter
from gateway.ledger.outage import Outage
from gateway.ledger.plan import Moment, Plan, Planner
from gateway.ledger.pot import Pieces, Pot
from gateway.ledger.record import Record
from gateway.ledger.refusals import LedgerUnavailable, LimitReached
from gateway.ledger.reservation import Holding, Waiter

log = logging.getLogger("gateway.ledger")

# A view that says a limit is reached is looked at again this often: others may have given back, or set it to 0.
RECHECK_SECONDS = 2.0
PROBE_SECONDS = 2.0
FORGOTTEN_AFTER_SECONDS = 120.0

Spawn = Callable[[Callable[[], Coroutine[Any, Any, None]]], asyncio.Task[None]]


class Account:
    """Takes and gives back; only `wait_for` and `close` wait for storage."""

    def __init__(
        self,
        key: str,
        exchange: Exchange,
        spawn: Spawn,
        outage: Outage,
        on_cut_off: Callable[[], None] | None = None,
    ) -> None:
        self.key = key
        self.balance = Balance(exchange)
        self.is_cut_off = False
        self.last_used = exchange.clock.now()
        # What calls hold that are not over: they will be settled here, however long they take.
        self.holdings = 0
        self.exchange = exchange
        self._clock = exchange.clock
        self._spawn = spawn
        self._outage = outage
        self._on_cut_off = on_cut_off
        self._pots: dict[tuple[Meter, int], Pot] = {}
        self._waiters: list[Waiter] = []
        self._task: asyncio.Task[None] | None = None
        self._epoch = 0
        self._leases_ahead = True
        self.probe_at = 0.0

    def take(self, charges: Sequence[Charge]) -> list[Holding] | None:
        """Everything, from the leases at hand; or nothing: None."""
        self.last_used = self._clock.now()
        holdings = self._take(charges, self.last_used)
        for holding in holdings or ():
            holding.pot.demand += holding.charge.amount
        return holdings

    def _take(self, charges: Sequence[Charge], now: float) -> list[Holding] | None:
        holdings: list[Holding] = []
        renew = False
        for charge in charges:
            pot = self._pot(charge)
            pieces = pot.take(charge.amount, now)
            if pieces is None:
                self.put_back(holdings)
                return None
            holdings.append(Holding(self, pot, charge, pieces, self._epoch))
            renew = renew or pot.needs_renewal(now)
        if renew and self._task is None and not self.is_cut_off and self.exchange.pace.wait(now) == 0:
            self._begin()
        return holdings

    def _pot(self, charge: Charge) -> Pot:
        key = (charge.meter, charge.limit)
        pot = self._pots.get(key)
        if pot is None:
            now = self._clock.now()
            for other in self._pots.values():
                if other.meter == charge.meter:
                    # The limit may have been changed: what is leased under the one before is room under this one.
                    self._give_back(other, now, everything=True)
            pot = self._pots[key] = Pot(charge.meter, charge.limit, now)
        return pot

    async def wait_for(self, charges: Sequence[Charge]) -> list[Holding]:
        """Everything, after an exchange with storage; raise LimitReached or LedgerUnavailable."""
        await self._past_the_boundary(charges)
        if self.is_cut_off or self._outage.is_general:
            self._cut_off_with_all()
            return self._take_cut_off(charges)
        reached = next((found for charge in charges if (found := self._reached(charge))), None)
        if reached is not None and (reached.retry_after is None or not self._is_to_look_again()):
            raise reached
        for charge in charges:
            self._pot(charge).demand += charge.amount
        waiter = Waiter(charges, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        self._begin()
        try:
            return await waiter.answer
        except asyncio.CancelledError:
            if waiter.answer.done() and not waiter.answer.cancelled() and waiter.answer.exception() is None:
                # It was served and left in the same moment.
                self.put_back(waiter.answer.result())
            raise

    async def _past_the_boundary(self, charges: Sequence[Charge]) -> None:
        """Around the end of a calendar window nobody knows for a moment which one it is: that moment is waited out."""
        moment = self.exchange.moment()
        for charge in charges:
            window = charge.meter.window
            if isinstance(window, Calendar):
                end = window.end(window.slot(moment.latest_past))
                if moment.now + moment.uncertainty + moment.shortest >= end:
                    await asyncio.sleep(end + moment.uncertainty - moment.now)
                    return

    def _reached(self, charge: Charge) -> LimitReached | None:
        if not self.balance.is_known and charge.amount <= charge.limit:
            return None
        return self.balance.reached(charge, self._pot(charge).available(self._clock.now()))

    def _is_to_look_again(self) -> bool:
        return self._clock.now() - self.exchange.looked_at >= RECHECK_SECONDS

    def _take_cut_off(self, charges: Sequence[Charge]) -> list[Holding]:
        """From the whole limit, less what is known here to be spent. Storage is told when it is back."""
        if any(charge.deny for charge in charges):
            raise LedgerUnavailable
        reached = first_reached(self.balance, charges)
        if reached is not None:
            raise reached
        return [self._borrow(charge) for charge in charges]

    def _borrow(self, charge: Charge) -> Holding:
        slot = self.balance.owe(charge.meter, charge.amount)
        return Holding(self, self._pot(charge), charge, ((slot, charge.amount),), self._epoch)

    def standing(self, charge: Charge) -> tuple[int, float]:
        """What can still be spent of the charge's limit, and in how many seconds all of it can, by what is known here.

        Neither is ever below 0.
        """
        now = self._clock.now()
        used, until = self.balance.standing(charge.meter, now)
        pot = self._pots.get((charge.meter, charge.limit))
        left = charge.limit - used + (pot.available(now) if pot else 0)
        return max(0, left), max(0.0, until + self._clock.uncertainty - now)

    def put_back(self, holdings: Iterable[Holding]) -> None:
        """Undo reservations."""
        for holding in holdings:
            self.refund(holding, sum(amount for _, amount in holding.pieces))

    def refund(self, holding: Holding, amount: int) -> None:
        """Give back so much of what was taken, the latest first."""
        if holding.epoch != self._epoch:
            # The counter was set to 0 meanwhile: what it has forgotten cannot come off it again.
            return
        now = self._clock.now()
        for slot, taken in reversed(holding.pieces):
            part = min(amount, taken)
            if part and not holding.pot.give_back(slot, part, now):
                self.balance.returns[holding.pot.meter, slot] += part
            amount -= part

    def debit(self, holding: Holding, amount: int) -> Pieces:
        """Charge more than was reserved: from the leases at hand; what these do not have is owed."""
        pot, now = holding.pot, self._clock.now()
        pot.demand += amount
        pieces = pot.take(amount, now)
        if pieces is None:
            leased = pot.available(now)
            owed = (self.balance.owe(pot.meter, amount - leased), amount - leased)
            pieces = (*(pot.take(leased, now) or ()), owed)
        return pieces

    def extend(self, holding: Holding, amount: int) -> Pieces | None:
        """Charge more if there is room in the limit, and say where it counts; otherwise nothing is charged: None."""
        left, _ = self.standing(holding.charge)
        if amount > left:
            if self._is_to_look_again():
                self._begin(must_read=True)
            return None
        return self.debit(holding, amount)

    def tick(self, now: float) -> None:
        """Give back what is not used, push what is owed."""
        self._retire(now, idle_too=True)
        if not self.is_cut_off and not self.balance.is_settled and self.exchange.pace.wait(now) == 0:
            self._begin()

    @property
    def is_to_probe(self) -> bool:
        """True if it is time to see whether storage is there again."""
        return self.is_cut_off and self._task is None and self._clock.local() >= self.probe_at

    def probe(self) -> None:
        """See whether storage is there again, and tell it everything."""
        self._begin(must_read=True)

    def _retire(self, now: float, *, idle_too: bool, everything: bool = False) -> bool:
        """What is over by then is to be given back; true if there is any."""
        pots = self._pots.values()
        given = [self._give_back(pot, now, everything or (idle_too and pot.is_idle(now))) for pot in pots]
        return any(given)

    def _give_back(self, pot: Pot, now: float, everything: bool) -> bool:
        left = pot.clear(now, everything=everything)
        for slot, amount in left:
            self.balance.returns[pot.meter, slot] += amount
        return bool(left)

    @property
    def holds_something(self) -> bool:
        """True if something is leased, owed or under way: then ticks are needed."""
        if self._task is not None or not self.balance.is_settled:
            return True
        return any(pot.leases for pot in self._pots.values())

    def is_forgettable(self, now: float) -> bool:
        """True if nothing would be lost with it."""
        return not self.holdings and not self.holds_something and now - self.last_used >= FORGOTTEN_AFTER_SECONDS

    async def close(self) -> None:
        """Give everything back, and push what is owed."""
        self._leases_ahead = False
        if self._task is not None:
            await asyncio.wait([self._task])
        self._retire(self._clock.now(), idle_too=True, everything=True)
        if not self.balance.is_settled:
            await asyncio.wait([self._begin()])

    def _begin(self, *, must_read: bool = False) -> asyncio.Task[None]:
        if self._task is None:
            self._task = self._spawn(partial(self._exchange_all, must_read))
            self._task.add_done_callback(self._ended)
        return self._task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._task = None
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("the counter %s could not be kept", self.key, exc_info=error)
            self._cut_off(str(error))
        if task.cancelled():  # the ledger is closed
            self._answer_cut_off()
        elif self._waiters:  # who came while it was ending
            self._begin()

    async def _exchange_all(self, must_read: bool) -> None:
        if self._outage.is_general and not self.is_cut_off:
            # It has failed for all others while this one was waiting for its turn.
            self._cut_off_with_all()
            return
        while True:
            try:
                plan = await self.exchange.run(self._draw_up, self._arrived, must_read=must_read)
            except (StorageUnavailable, ValueError) as error:
                if isinstance(error, StorageUnavailable):
                    self._outage.failed()
                self._cut_off(str(error))
                return
            self._outage.succeeded()
            self._reconnected()
            self._apply(plan)
            if not self._waiters:
                return

    def _draw_up(self) -> Plan:
        """What is to be written now. Made anew for each attempt, after the record has been looked at."""
        if self.exchange.epoch != self._epoch:
            self._start_over()
        moment = self.exchange.moment()
        self._waiters = [waiter for waiter in self._waiters if not waiter.answer.done()]
        self._retire(moment.now, idle_too=False)
        plan = self._plan(moment)
        if plan.refusals and self._retire(moment.now + moment.shortest, idle_too=False):
            # What is nearly over is of no use to those who wait, but of use as room.
            plan = self._plan(moment)
        return plan

    def _plan(self, moment: Moment) -> Plan:
        now = moment.now
        planner = Planner(self.exchange.record or Record(), moment, *self.balance.unpushed())
        planner.serve([[(self._pot(charge), charge) for charge in waiter.charges] for waiter in self._waiters])
        planner.grant(pot for pot in self._pots.values() if self._leases_ahead and (pot.demand or not pot.is_idle(now)))
        return planner.plan

    def _start_over(self) -> None:
        """Somebody has set the counter to 0: what was granted before is not in it any more."""
        self._epoch = self.exchange.epoch
        self.balance.returns.clear()
        for pot in self._pots.values():
            pot.leases.clear()

    def _arrived(self, plan: Plan) -> None:
        """A plan was written after all. Nobody knew of its grants, so they are unused."""
        self.balance.pushed(plan)
        for grant in plan.grants:
            self.balance.returns[grant.pot.meter, grant.slot] += grant.amount

    def _apply(self, plan: Plan) -> None:
        """Storage has it: forget what it has heard, hand out what it granted."""
        self.balance.pushed(plan)
        now = self._clock.now()
        for grant in plan.grants:
            grant.pot.add(grant.slot, grant.amount, grant.expires, now)
        waiters, self._waiters = self._waiters, []
        for place, waiter in enumerate(waiters):
            if waiter.answer.done():
                continue
            if place in plan.refusals:
                waiter.answer.set_exception(plan.refusals[place])
            elif (holdings := self._take(waiter.charges, now)) is not None:
                waiter.answer.set_result(holdings)
            else:
                # It came after the plan was made, or its lease is over already.
                self._waiters.append(waiter)

    def _cut_off(self, reason: str) -> None:
        if not self.is_cut_off:
            log.warning("the counter %s is kept by this instance alone for now: %s", self.key, reason)
        if self._on_cut_off is not None:
            self._on_cut_off()
        self.is_cut_off = True
        self.probe_at = self._clock.local() + PROBE_SECONDS
        self._answer_cut_off()

    def _cut_off_with_all(self) -> None:
        if not self.is_cut_off:
            self._cut_off("Table Storage fails for every counter")

    def _answer_cut_off(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if waiter.answer.done():
                continue
            try:
                waiter.answer.set_result(self._take_cut_off(waiter.charges))
            except (LimitReached, LedgerUnavailable) as refused:
                waiter.answer.set_exception(refused)

    def _reconnected(self) -> None:
        if self.is_cut_off:
            log.info("the counter %s is shared again", self.key)
        self.is_cut_off = False
