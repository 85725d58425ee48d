"""The ledger's table: one row for each counter key, in a partition of its own, changed by compare-and-swap.

A partition takes 2,000 operations a second, so no two counters share one.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from gateway.ledger.server_clock import TimeBounds
from gateway.ledger.store import Stored, Written
from gateway.storage.limits import EntityTooLarge, check_entity, encode_key, join_text, split_text
from gateway.storage.tables import NotFound, PreconditionFailed, TableName, Tables

if TYPE_CHECKING:
    from azure.data.tables.aio import TableClient

TABLE: TableName = "gatewayledger"
ROW = "record"
TEXT = "record"


class LedgerStore:
    """The ledger's RecordStore over Table Storage."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def read(self, key: str) -> Stored | None:
        """The record, or None if there is none."""
        answer = _Answer()
        try:
            entity = await self._tables.send(
                TABLE, lambda client: client.get_entity(partition_of(key), ROW, raw_response_hook=answer.seen)
            )
        except NotFound:
            return None
        return Stored(join_text(TEXT, entity), str(entity.metadata["etag"]), answer.time())

    async def write(self, key: str, text: str, etag: str | None) -> Written:
        """Write it if it is still the version `etag`, or not there; raise PreconditionFailed or Conflict."""
        entity: dict[str, Any] = {
            "PartitionKey": partition_of(key),
            "RowKey": ROW,
            "key": key,
            **split_text(TEXT, text),
        }
        check_entity(entity)
        try:
            return await self._write(entity, etag)
        except NotFound:
            if etag is not None:
                # Somebody removed it: the next look finds nothing, and begins anew.
                raise PreconditionFailed("it was removed") from None
            await self._tables.create(TABLE)
            return await self._write(entity, etag)

    async def pages(self) -> AsyncIterator[list[tuple[str, str]]]:
        """Every counter key with its record's text, page by page. Looks through the whole table."""
        async for page in self._tables.table(TABLE).pages():
            yield [(str(row.values["key"]), join_text(TEXT, row.values)) for row in page]

    async def _write(self, entity: dict[str, Any], etag: str | None) -> Written:
        answer = _Answer()

        async def send(client: TableClient) -> Any:
            from azure.core import MatchConditions
            from azure.data.tables import UpdateMode

            if etag is None:
                return await client.create_entity(entity, raw_response_hook=answer.seen)
            return await client.update_entity(
                entity,
                mode=UpdateMode.REPLACE,
                etag=etag,
                match_condition=MatchConditions.IfNotModified,
                raw_response_hook=answer.seen,
            )

        metadata = await self._tables.send(TABLE, send)
        return Written(str(metadata["etag"]), answer.time())


def partition_of(key: str) -> str:
    """A counter's partition; a different one for each key."""
    try:
        return encode_key(key)
    except EntityTooLarge:
        return "sha256-" + hashlib.sha256(key.encode()).hexdigest()


class _Answer:
    """What the last answer of one operation says of the time: the second in which it was made."""

    def __init__(self) -> None:
        self._date = ""

    def seen(self, response: Any) -> None:
        self._date = response.http_response.headers.get("Date", "")

    def time(self) -> TimeBounds | None:
        try:
            second = parsedate_to_datetime(self._date).timestamp()
        except ValueError:
            return None
        return TimeBounds(second, second + 1.0)
