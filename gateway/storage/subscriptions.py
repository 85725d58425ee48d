"""Subscriptions and their keys: a record for each subscription, and an index from a key's digest to the record's name.

The record is the authority. A row of the index only says where to look; the digest in the record must match, so a key
dies the moment the record changes, even if its index row stays behind.
"""

from __future__ import annotations

import hmac
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, cast, get_args

from gateway.catalog.fields import parse_moment, write_moment
from gateway.catalog.loading import LoadFault
from gateway.catalog.models import SubscriptionState
from gateway.errors import CatalogError, Fault
from gateway.storage.limits import encode_key
from gateway.storage.tables import Conflict, NotFound, PreconditionFailed, Put, Row, Tables

log = logging.getLogger("gateway.storage")

PARTITION = "subscription"
DIGEST = re.compile(r"[0-9a-f]{64}")
DIGEST_COLUMNS = ("primaryDigest", "secondaryDigest")
MASTER = "master"
ATTEMPTS = 5

Slot = Literal["primary", "secondary"]
ScopeKind = Literal["all", "api", "product"]


@dataclass(frozen=True, slots=True)
class SubscriptionRecord:
    """A subscription as it is stored. Digests are SHA-256 in hex; an empty one matches no key. Moments are in UTC."""

    name: str
    display_name: str | None = None
    scope_kind: ScopeKind = "all"
    scope_name: str | None = None
    state: SubscriptionState = "active"
    start: datetime | None = None
    expiration: datetime | None = None
    primary_digest: str = field(default="", repr=False)
    secondary_digest: str = field(default="", repr=False)

    def digest(self, slot: Slot) -> str:
        """The digest of one of its keys."""
        return self.primary_digest if slot == "primary" else self.secondary_digest

    def with_digest(self, slot: Slot, digest: str) -> SubscriptionRecord:
        """The record with another key in one slot."""
        return replace(self, primary_digest=digest) if slot == "primary" else replace(self, secondary_digest=digest)

    def slot_of(self, digest: str) -> Slot | None:
        """Which of its keys has this digest. Takes as long for a wrong one as for a right one."""
        primary = hmac.compare_digest(self.primary_digest.encode(), digest.encode())
        secondary = hmac.compare_digest(self.secondary_digest.encode(), digest.encode())
        return "primary" if primary else "secondary" if secondary else None


BUILT_IN = SubscriptionRecord(MASTER, display_name="Built-in all-access subscription")


class SubscriptionStore:
    """Reads and writes subscriptions. The built-in one, `master`, is there even if it was never stored."""

    def __init__(self, tables: Tables) -> None:
        self._records = tables.table("gatewaysubscriptions")
        self._keys = tables.table("gatewaykeys")

    async def get(self, name: str) -> SubscriptionRecord | None:
        """One subscription, None if there is none; raise CatalogError if somebody broke its row."""
        return (await self._read(name))[0]

    async def list(self) -> list[SubscriptionRecord | LoadFault]:
        """All subscriptions by name, with a LoadFault for each whose row somebody broke."""
        found: dict[str, SubscriptionRecord | LoadFault] = {MASTER: BUILT_IN}
        for row in await self._records.rows(PARTITION):
            name = str(row.values["RowKey"])
            try:
                found[name] = _from_row(row)
            except CatalogError as error:
                found[name] = LoadFault("Subscription", name, error.faults)
        return [found[name] for name in sorted(found)]

    async def create(self, record: SubscriptionRecord) -> None:
        """Store a new subscription with its keys; raise Conflict if there is one of that name."""
        # Index first: a key must not be given out that cannot be found.
        for slot in get_args(Slot):
            await self._add_key(record.digest(slot), record.name)
        try:
            await self._records.put(Put(_to_entity(record), new=True))
        except Conflict:
            for slot in get_args(Slot):
                await self._remove_key(record.digest(slot))
            raise

    async def change(
        self, name: str, change: Callable[[SubscriptionRecord], SubscriptionRecord]
    ) -> SubscriptionRecord | None:
        """Read, change and write a subscription, again if somebody else writes meanwhile. None if there is none."""
        for _ in range(ATTEMPTS):
            record, etag = await self._read(name)
            if record is None:
                return None
            changed = change(record)
            try:
                await self._records.put(Put(_to_entity(changed), etag=etag, new=etag is None))
            except (Conflict, PreconditionFailed, NotFound):
                continue
            return changed
        raise CatalogError([Fault(f"Subscription {name}", "is being changed by others all the time; try again")])

    async def set_key(self, name: str, slot: Slot, digest: str) -> SubscriptionRecord | None:
        """Put another key into a slot. The old one is dead when this returns. None if there is no such subscription."""
        await self._add_key(digest, name)
        # More than one if somebody else regenerates it too.
        replaced: set[str] = set()

        def exchange(record: SubscriptionRecord) -> SubscriptionRecord:
            replaced.add(record.digest(slot))
            return record.with_digest(slot, digest)

        changed: SubscriptionRecord | None = None
        try:
            changed = await self.change(name, exchange)
        except CatalogError:
            await self._remove_key(digest)
            raise
        # The new one may be among them: a write whose answer was lost is tried again.
        for each in replaced - {digest} if changed else {digest}:
            await self._remove_key(each)
        return changed

    async def delete(self, name: str) -> bool:
        """Remove a subscription; False if there is none.

        Raises CatalogError for the built-in one, which is as it was at first when its broken row is removed.
        """
        try:
            row = await self._records.get(PARTITION, encode_key(name))
        except NotFound:
            row = None
        if name == MASTER and (row is None or not _problems(row)):
            raise CatalogError([Fault(f"Subscription {name}", "is built in and cannot be deleted; suspend it instead")])
        if row is None:
            return False
        digests = [_text(row.values, column) for column in DIGEST_COLUMNS]
        if not all(DIGEST.fullmatch(digest) for digest in digests):
            # Somebody broke the row, and only the whole index knows which keys were its own.
            digests = await self._keys.row_keys(subscription=name)
        # The record goes last: should this be cut short, it can be deleted again, and no row of the index stays behind.
        for digest in digests:
            await self._remove_key(digest)
        await self._records.delete(PARTITION, encode_key(name))
        return True

    async def find(self, digest: str) -> tuple[SubscriptionRecord, Slot] | None:
        """The subscription that a key's digest belongs to, and which of its keys it is; None if it is nobody's."""
        try:
            row = await self._keys.get(_key_partition(digest), digest)
        except NotFound:
            return None
        try:
            record, _ = await self._read(str(row.values.get("subscription", "")))
        except CatalogError as error:
            log.error("a subscription key is refused: %s", error)
            return None
        slot = record.slot_of(digest) if record else None
        return (record, slot) if record and slot else None

    async def _read(self, name: str) -> tuple[SubscriptionRecord | None, str | None]:
        try:
            row = await self._records.get(PARTITION, encode_key(name))
        except NotFound:
            return (BUILT_IN if name == MASTER else None), None
        return _from_row(row), row.etag

    async def _add_key(self, digest: str, name: str) -> None:
        if digest:
            await self._keys.put(Put({"PartitionKey": _key_partition(digest), "RowKey": digest, "subscription": name}))

    async def _remove_key(self, digest: str) -> None:
        if digest:
            await self._keys.delete(_key_partition(digest), digest)


def _key_partition(digest: str) -> str:
    # 256 partitions: one alone would hold all keys to 2,000 look-ups a second.
    return digest[:2]


def _to_entity(record: SubscriptionRecord) -> dict[str, Any]:
    columns = {
        "displayName": record.display_name,
        "scopeKind": record.scope_kind,
        "scopeName": record.scope_name,
        "state": record.state,
        "startDate": record.start and write_moment(record.start),
        "expirationDate": record.expiration and write_moment(record.expiration),
        "primaryDigest": record.primary_digest,
        "secondaryDigest": record.secondary_digest,
    }
    written = {name: value for name, value in columns.items() if value}
    return {"PartitionKey": PARTITION, "RowKey": encode_key(record.name), **written}


def _from_row(row: Row) -> SubscriptionRecord:
    """A stored subscription; raise CatalogError if somebody broke it, for a guess might let someone in."""
    name = str(row.values["RowKey"])
    columns = row.values
    problems = _problems(row)
    if problems:
        raise CatalogError([Fault(f"Subscription {name}", f"its stored {problem}") for problem in problems])
    return SubscriptionRecord(
        name=name,
        display_name=_text(columns, "displayName") or None,
        scope_kind=cast(ScopeKind, columns["scopeKind"]),
        scope_name=_text(columns, "scopeName") or None,
        state=cast(SubscriptionState, columns["state"]),
        start=_moment(columns, "startDate"),
        expiration=_moment(columns, "expirationDate"),
        primary_digest=_text(columns, "primaryDigest"),
        secondary_digest=_text(columns, "secondaryDigest"),
    )


def _problems(row: Row) -> Sequence[str]:
    columns = row.values
    problems = [
        f"{column} is {columns.get(column)!r}"
        for column, allowed in (("scopeKind", get_args(ScopeKind)), ("state", get_args(SubscriptionState)))
        if columns.get(column) not in allowed
    ]
    if columns.get("scopeKind") in ("api", "product") and not _text(columns, "scopeName"):
        problems.append("scopeName is missing")
    for column in ("startDate", "expirationDate"):
        try:
            _moment(columns, column)
        except ValueError as error:
            problems.append(f"{column} {error}")
    # What stands there is not repeated: somebody may have put a key there.
    wrong = (column for column in DIGEST_COLUMNS if column in columns and not DIGEST.fullmatch(_text(columns, column)))
    return [*problems, *(f"{column} is no SHA-256 in hex" for column in wrong)]


def _moment(columns: Any, name: str) -> datetime | None:
    return parse_moment(columns[name]) if name in columns else None


def _text(columns: Any, name: str) -> str:
    value = columns.get(name)
    return value if isinstance(value, str) else ""
