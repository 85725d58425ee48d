"""What an account wants written: what it owes and gives back, and what those who wait and its pots need."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.ledger.balance import Balance
from gateway.ledger.meters import Charge
from gateway.ledger.plan import Moment, Plan, Planner
from gateway.ledger.pots import Pots
from gateway.ledger.record import Record


class Drafter:
    """Draws up one plan, for one version of the record."""

    def __init__(self, record: Record | None, moment: Moment, balance: Balance, pots: Pots) -> None:
        self._record = record or Record()
        self._moment = moment
        self._balance = balance
        self._pots = pots

    def plan(self, wanted: Sequence[Sequence[Charge]], *, leases_ahead: bool) -> Plan:
        """For those who wait, and with `leases_ahead` for what will be asked for soon."""
        moment = self._moment
        self._pots.retire(moment.now, idle_too=False)
        plan = self._draw_up(wanted, leases_ahead)
        if plan.refusals and self._pots.retire(moment.now + moment.shortest, idle_too=False):
            # What is nearly over is of no use to those who wait, but of use as room.
            plan = self._draw_up(wanted, leases_ahead)
        return plan

    def _draw_up(self, wanted: Sequence[Sequence[Charge]], leases_ahead: bool) -> Plan:
        now = self._moment.now
        planner = Planner(self._record, self._moment, *self._balance.unpushed())
        planner.serve([[(self._pots.of(charge, now), charge) for charge in charges] for charges in wanted])
        planner.grant(self._pots.in_use(now) if leases_ahead else ())
        return planner.plan
