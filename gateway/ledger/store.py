"""What the ledger needs of storage: one text a counter key, changed by compare-and-swap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.ledger.server_clock import TimeBounds


@dataclass(frozen=True, slots=True)
class Stored:
    """A record's text as it was read, its version, and what the answer said of the time."""

    text: str
    etag: str
    time: TimeBounds | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """The version that a write made, and what the answer said of the time."""

    etag: str
    time: TimeBounds | None = None


class RecordStore(Protocol):
    """Raises StorageUnavailable where it fails."""

    async def read(self, key: str) -> Stored | None:
        """The record of a counter key, or None if there is none."""

    async def write(self, key: str, text: str, etag: str | None) -> Written:
        """Write it if it is still the version `etag` (None: not there); raise PreconditionFailed or Conflict."""
