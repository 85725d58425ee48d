"""The ledger: exact limits, shared by all instances, without a storage call on the hot path.

What is spent was granted in storage before: an instance takes leases for about the next second of its own demand, and
spends them in memory. `docs/limits.md` says what that promises.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from gateway.ledger.account import Account
from gateway.ledger.exchange import Exchange
from gateway.ledger.meters import Charge
from gateway.ledger.outage import Outage
from gateway.ledger.reservation import Holding, Reservation
from gateway.ledger.server_clock import ServerClock
from gateway.ledger.store import RecordStore

TICK_SECONDS = 0.25
SWEEP_SECONDS = 10.0
# Exchanges with storage at once: more would only wait for each other.
EXCHANGES_AT_ONCE = 64
# While storage fails for all, so many ask for it, those first who have not for longest. The others follow a success.
PROBES_A_TICK = 4
CLOSE_SECONDS = 5.0


class Ledger:
    """Knows an account for each counter key that is in use; memory is bounded by the keys used in two minutes.

    `now` is the local time of day. `on_cut_off` is told each time that storage could not be asked about a counter.
    """

    def __init__(
        self,
        store: RecordStore,
        now: Callable[[], float] | None = None,
        rng: random.Random | None = None,
        on_cut_off: Callable[[], None] | None = None,
    ) -> None:
        self.accounts: dict[str, Account] = {}
        self.clock = ServerClock(now) if now else ServerClock.steady()
        self._store = store
        self._rng = rng or random.Random()
        self._places = asyncio.Semaphore(EXCHANGES_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticks: asyncio.Task[None] | None = None
        self._swept = 0.0
        self._on_cut_off = on_cut_off
        self._outage = Outage()

    def take(self, charges: Sequence[Charge], *, from_plenty: bool = False) -> Reservation | None:
        """Take all charges from the leases at hand; None if that takes longer, or they are for several counter keys.

        `from_plenty` takes nothing where what is wanted is more than a small part of what is left of a limit.
        """
        key = charges[0].key
        account = self.accounts.get(key)
        if account is None or self._ticks is None:
            return None
        for charge in charges:
            if charge.key != key:
                return None
        holdings = account.take(charges, from_plenty=from_plenty)
        return None if holdings is None else Reservation(holdings)

    async def reserve(self, charges: Sequence[Charge]) -> Reservation:
        """Take all charges or none. Raises LimitReached for the first that does not fit, or LedgerUnavailable."""
        if self._ticks is None:
            self._ticks = asyncio.get_running_loop().create_task(self._tick_while_needed())
        holdings: list[Holding] = []
        try:
            for account, wanted in self._by_account(charges):
                taken = account.take(wanted)
                holdings += await account.wait_for(wanted) if taken is None else taken
        except BaseException:
            for holding in holdings:
                holding.account.put_back([holding])
            raise
        return Reservation(holdings)

    def standing(self, charge: Charge) -> tuple[int, float]:
        """What is left of a charge's limit, and in how many seconds all of it will be, by what is known here."""
        account = self.accounts.get(charge.key)
        return (charge.limit, 0.0) if account is None else account.standing(charge)

    def known_standing(self, charge: Charge) -> tuple[int, float] | None:
        """The same; None if this instance has not seen the counter lately, and so cannot tell without asking."""
        account = self.accounts.get(charge.key)
        return account.standing(charge) if account is not None and account.balance.is_known else None

    def _by_account(self, charges: Sequence[Charge]) -> Sequence[tuple[Account, Sequence[Charge]]]:
        keys = dict.fromkeys([charge.key for charge in charges])
        if len(keys) == 1:
            return ((self._account(charges[0].key), charges),)
        return [(self._account(key), [charge for charge in charges if charge.key == key]) for key in keys]

    def _account(self, key: str) -> Account:
        account = self.accounts.get(key)
        if account is None:
            exchange = Exchange(key, self._store, self.clock, self._rng)
            account = self.accounts[key] = Account(key, exchange, self._spawn, self._outage, self._on_cut_off)
        return account

    def _spawn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(self._in_turn(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _in_turn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async with self._places:
            await work()

    async def _tick_while_needed(self) -> None:
        try:
            while self.accounts:
                await asyncio.sleep(TICK_SECONDS)
                self.tick()
        finally:
            self._ticks = None

    def tick(self) -> None:
        """Give back what idle accounts hold, push what is owed, forget who has not been used."""
        now = self.clock.now()
        for account in self.accounts.values():
            if account.holds_something:
                account.tick(now)
        self._probe()
        if now - self._swept >= SWEEP_SECONDS:
            self._swept = now
            forgettable = [key for key, account in self.accounts.items() if account.is_forgettable(now)]
            for key in forgettable:
                del self.accounts[key]

    def _probe(self) -> None:
        to_probe = [account for account in self.accounts.values() if account.is_to_probe]
        if self._outage.is_general:
            to_probe = heapq.nsmallest(PROBES_A_TICK, to_probe, key=lambda account: account.cut_off.probe_at)
        for account in to_probe:
            account.probe()

    async def aclose(self) -> None:
        """Give everything back and push what is owed, within 5 seconds."""
        if self._ticks is not None:
            self._ticks.cancel()
            await asyncio.wait([self._ticks])
        closing = [asyncio.ensure_future(account.close()) for account in self.accounts.values()]
        if closing:
            await asyncio.wait(closing, timeout=CLOSE_SECONDS)
        for task in [*closing, *self._tasks]:
            task.cancel()
        await asyncio.gather(*closing, *self._tasks, return_exceptions=True)
