"""Why a call gets nothing from the ledger. The limit policy turns these into what the caller is told."""

from __future__ import annotations

from gateway.ledger.meters import Charge


class LimitReached(Exception):
    """A charge does not fit into its limit. `retry_after` is when it will, in seconds; None if it never can."""

    def __init__(self, charge: Charge, retry_after: float | None) -> None:
        self.charge = charge
        self.retry_after = retry_after
        super().__init__(f"{charge.key} has no {charge.amount} left of {charge.limit} {charge.meter.name}")


class LedgerUnavailable(Exception):
    """Storage cannot be reached, and one of the charges is to be denied then."""
