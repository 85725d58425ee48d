"""One counter key as an instance sees it: what it may spend at once, who waits, and what storage has yet to hear."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any

from gateway.errors import StorageUnavailable
from gateway.ledger.balance import Balance, first_reached
from gateway.ledger.cut_off import CutOff
from gateway.ledger.drafter import Drafter
from gateway.ledger.exchange import Exchange
from gateway.ledger.meters import Charge
from gateway.ledger.outage import Outage
from gateway.ledger.plan import Plan
from gateway.ledger.pot import CALLS_OF_PLENTY, Pieces
from gateway.ledger.pots import Pots
from gateway.ledger.refusals import LedgerUnavailable, LimitReached
from gateway.ledger.reservation import Holding
from gateway.ledger.waiting import Waiters

log = logging.getLogger("gateway.ledger")

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
        self.last_used = exchange.clock.now()
        # What calls hold that are not over: they will be settled here, however long they take.
        self.holdings = 0
        self.exchange = exchange
        self.cut_off = CutOff(key, exchange.clock, on_cut_off)
        self._clock = exchange.clock
        self._spawn = spawn
        self._outage = outage
        self._pots = Pots(self.balance.returns)
        self._waiters = Waiters()
        self._task: asyncio.Task[None] | None = None
        self._epoch = 0
        self._leases_ahead = True

    def take(self, charges: Sequence[Charge], *, from_plenty: bool = False) -> list[Holding] | None:
        """Everything, from the leases at hand; or nothing: None."""
        self.last_used = self._clock.now()
        if from_plenty and not self._pots.have_plenty(charges):
            return None
        holdings = self._take(charges, self.last_used)
        for holding in holdings or ():
            holding.pot.demand += holding.charge.amount
        return holdings

    def _take(self, charges: Sequence[Charge], now: float) -> list[Holding] | None:
        holdings: list[Holding] = []
        renew = False
        for charge in charges:
            pot = self._pots.of(charge, now)
            pieces = pot.take(charge.amount, now)
            if pieces is None:
                self.put_back(holdings)
                return None
            holdings.append(Holding(self, pot, charge, pieces, self._epoch))
            renew = renew or pot.needs_renewal(now)
        if renew and self._task is None and not self.cut_off.is_on and self.exchange.pace.wait(now) == 0:
            self._begin()
        return holdings

    async def wait_for(self, charges: Sequence[Charge]) -> list[Holding]:
        """Everything, after an exchange with storage; raise LimitReached or LedgerUnavailable."""
        uncertain = self.exchange.moment().until_certain(charges)
        if uncertain:
            await asyncio.sleep(uncertain)
        if self.cut_off.is_on or self._outage.is_general:
            self._fail_with_all()
            return self._take_cut_off(charges)
        reached = next((found for charge in charges if (found := self._reached(charge))), None)
        if reached is not None and (reached.retry_after is None or not self.exchange.is_to_look_again):
            raise reached
        for charge in charges:
            self._pots.of(charge, self._clock.now()).demand += charge.amount
        waiter = self._waiters.add(charges)
        self._begin()
        try:
            return await waiter.answer
        except asyncio.CancelledError:
            if waiter.answer.done() and not waiter.answer.cancelled() and waiter.answer.exception() is None:
                # It was served and left in the same moment.
                self.put_back(waiter.answer.result())
            raise

    def _reached(self, charge: Charge) -> LimitReached | None:
        if not self.balance.is_known and charge.amount <= charge.limit:
            return None
        now = self._clock.now()
        return self.balance.reached(charge, self._pots.of(charge, now).available(now))

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
        pot = self._pots.of(charge, self._clock.now())
        return Holding(self, pot, charge, ((slot, charge.amount),), self._epoch)

    def standing(self, charge: Charge) -> tuple[int, float]:
        """What can still be spent of the charge's limit, and in how many seconds all of it can, by what is known here.

        Neither is ever below 0.
        """
        now = self._clock.now()
        used, until = self.balance.standing(charge.meter, now)
        pot = self._pots.find(charge)
        left = charge.limit - used + (pot.available(now) if pot else 0)
        return max(0, left), max(0.0, until + self._clock.uncertainty - now)

    def put_back(self, holdings: Iterable[Holding]) -> None:
        """Undo reservations."""
        for holding in holdings:
            self.refund(holding, sum(amount for _, amount in holding.pieces))

    def refund(self, holding: Holding, amount: int) -> int:
        """Give back so much of what was taken, the latest first; returns how much of it can be spent here again."""
        if holding.epoch != self._epoch:
            # The counter was set to 0 meanwhile: what it has forgotten cannot come off it again.
            return 0
        now = self._clock.now()
        spendable = 0
        for slot, taken in reversed(holding.pieces):
            part = min(amount, taken)
            if part and holding.pot.give_back(slot, part, now):
                spendable += part
            elif part:
                self.balance.returns[holding.pot.meter, slot] += part
            amount -= part
        return spendable

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
            if self.exchange.is_to_look_again:
                self._begin(must_read=True)
            return None
        return self.debit(holding, amount)

    def tick(self, now: float) -> None:
        """Give back what is not used, push what is owed."""
        self._pots.retire(now, idle_too=True)
        if not self.cut_off.is_on and not self.balance.is_settled and self.exchange.pace.wait(now) == 0:
            self._begin()

    @property
    def is_to_probe(self) -> bool:
        """True if it is time to see whether storage is there again."""
        return self._task is None and self.cut_off.is_to_probe

    def probe(self) -> None:
        """See whether storage is there again, and tell it everything."""
        self._begin(must_read=True)

    @property
    def holds_something(self) -> bool:
        """True if something is leased, owed or under way: then ticks are needed."""
        if self._task is not None or not self.balance.is_settled:
            return True
        return self._pots.hold_something

    def is_forgettable(self, now: float) -> bool:
        """True if nothing would be lost with it."""
        return not self.holdings and not self.holds_something and now - self.last_used >= FORGOTTEN_AFTER_SECONDS

    async def close(self) -> None:
        """Give everything back, and push what is owed."""
        self._leases_ahead = False
        if self._task is not None:
            await asyncio.wait([self._task])
        self._pots.retire(self._clock.now(), idle_too=True, everything=True)
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
            self._fail(str(error))
        if task.cancelled():  # the ledger is closed
            self._answer_cut_off()
        elif self._waiters:  # who came while it was ending
            self._begin()

    async def _exchange_all(self, must_read: bool) -> None:
        if self._outage.is_general and not self.cut_off.is_on:
            # It has failed for all others while this one was waiting for its turn.
            self._fail_with_all()
            return
        while True:
            try:
                plan = await self.exchange.run(self._draw_up, self._arrived, must_read=must_read)
            except (StorageUnavailable, ValueError) as error:
                if isinstance(error, StorageUnavailable):
                    self._outage.failed()
                self._fail(str(error))
                return
            self._outage.succeeded()
            self.cut_off.end()
            self._apply(plan)
            if not self._waiters:
                return

    def _draw_up(self) -> Plan:
        """What is to be written now. Made anew for each attempt, after the record has been looked at."""
        if self.exchange.epoch != self._epoch:
            self._start_over()
        drafter = Drafter(self.exchange.record, self.exchange.moment(), self.balance, self._pots)
        return drafter.plan(self._waiters.wanted(), leases_ahead=self._leases_ahead)

    def _start_over(self) -> None:
        """Somebody has set the counter to 0: what was granted before is not in it any more."""
        self._epoch = self.exchange.epoch
        self.balance.returns.clear()
        self._pots.forget_leases()

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
            used, _ = self.balance.standing(grant.pot.meter, now)
            grant.pot.plenty = (grant.pot.limit - used) // CALLS_OF_PLENTY
        self._waiters.answer(partial(self._hand_out, plan, now))

    def _hand_out(self, plan: Plan, now: float, place: int, charges: Sequence[Charge]) -> list[Holding] | None:
        if place in plan.refusals:
            raise plan.refusals[place]
        # There may be none: whoever came after the plan was made is not in it, and a lease may be over already.
        return self._take(charges, now)

    def _fail(self, reason: str) -> None:
        self.cut_off.begin(reason)
        self._answer_cut_off()

    def _fail_with_all(self) -> None:
        if not self.cut_off.is_on:
            self._fail("Table Storage fails for every counter")

    def _answer_cut_off(self) -> None:
        self._waiters.answer(lambda _, charges: self._take_cut_off(charges))
