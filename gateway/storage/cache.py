"""The cache's table: a partition for each scope, with a row for each answer, in the order of time.

One more partition is a directory of the scopes, by which those of an API or a subscription are found without a look
through the whole table. A scope is in it before the first of its answers, and again each hour that some are written.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Any

from gateway.cache.entry import first_id, new_id
from gateway.storage.cache_rows import (
    DIRECTORY,
    LOADED,
    Kept,
    Page,
    Record,
    Removal,
    ScopeRecord,
    removal_entity,
    scope_entity,
    storable,
    to_answer,
    to_entity,
    to_kept,
    to_page,
    to_scope,
)
from gateway.storage.limits import MOST_OPERATIONS, check_entity
from gateway.storage.tables import Delete, NotFound, Put, TableName, Tables

if TYPE_CHECKING:
    from azure.data.tables.aio import TableClient

TABLE: TableName = "gatewaycache"
# Rows in one page. To take a page apart holds up all else for about 10 ms.
PAGE_ROWS = 100
ENTER_AGAIN_SECONDS = 3_600.0
MOST_ENTERED = 10_000
# An instance hears of what was removed from its scopes, or loads them anew, within an hour: scopes.STALE_SECONDS.
CLOCKS_APART_SECONDS = 5.0
REMOVAL_SECONDS = 7_200.0


class CacheStore:
    """Answers in Table Storage. `now` is the time of day, in seconds since 1970.

    Everything raises StorageUnavailable.
    """

    def __init__(self, tables: Tables, now: Callable[[], float] = time.time) -> None:
        self._tables = tables
        self._table = tables.table(TABLE)
        self._now = now
        self._entered: OrderedDict[str, float] = OrderedDict()

    def check(self, record: Record) -> None:
        """Raise EntityTooLarge if an answer is too large to be kept."""
        check_entity(to_entity(record))

    async def write(self, record: Record) -> None:
        """Keep an answer; raise EntityTooLarge."""
        entity = to_entity(record)
        check_entity(entity)
        await self._enter(record)
        await self._table.put(Put(entity))

    async def load(self, scope: str, after: str = "") -> AsyncIterator[Page]:
        """What is kept in a scope, without the answers: the rows with keys after one, the oldest first."""
        where = "PartitionKey eq @scope and RowKey gt @after"
        async for rows in self._pages(where, {"scope": scope, "after": after}, LOADED):
            yield to_page(rows)

    async def answer(self, scope: str, id: str) -> bytes | None:
        """The answer of an entry, None if it is not there, or cannot be read: then it is removed."""
        try:
            return to_answer((await self._table.get(scope, id)).values)
        except NotFound:
            return None
        except (KeyError, TypeError):
            await self._table.delete(scope, id)
            return None

    async def entry(self, scope: str, id: str) -> Kept | None:
        """An entry with its prompt, None if it is not there or cannot be read."""
        try:
            return to_kept((await self._table.get(scope, id)).values)
        except (NotFound, KeyError, TypeError, ValueError):
            return None

    async def delete(self, scope: str, ids: Sequence[str]) -> None:
        """Remove rows. Those that are not there are as good as removed."""
        for batch in batched(ids, MOST_OPERATIONS, strict=False):
            try:
                await self._table.transact([Delete(scope, id) for id in batch])
            except NotFound:
                # Somebody removed one of them, and nothing was done.
                for id in batch:
                    await self._table.delete(scope, id)

    async def delete_expired(self, scope: str) -> int:
        """Remove a page of the rows whose time is over; how many there were."""
        where = "PartitionKey eq @scope and expires le @now"
        async for rows in self._pages(where, {"scope": scope, "now": self._now()}, ("RowKey",)):
            if rows:
                await self.delete(scope, [str(row["RowKey"]) for row in rows])
                return len(rows)
        return 0

    async def remove(
        self, scope: str, *, before: float | None = None, subscription: str | None = None, id: str = ""
    ) -> int:
        """Remove one entry, or those made before a moment, or those of a subscription; how many rows there were.

        Instances that hold them in memory hear of it within seconds of the scope's next use.
        """
        moment = self._now()
        bound = first_id(moment + CLOCKS_APART_SECONDS if before is None else before)
        removal = Removal(new_id(moment), scope, bound, id, subscription)
        # First, so that what fails half-way can be done again.
        await self._table.put(Put(removal_entity(removal, moment + REMOVAL_SECONDS)))
        where, values = "RowKey lt @bound", {"bound": bound}
        if id:
            where, values = "RowKey eq @id", {"id": id}
        elif subscription is not None:
            where, values = f"{where} and subscription eq @subscription", {**values, "subscription": subscription}
        return await self._delete(scope, where, values)

    async def scopes(self, api: str | None = None, subscription: str | None = None) -> AsyncIterator[list[ScopeRecord]]:
        """The directory, page by page: of one API, of one subscription, or all."""
        wanted = {name: value for name, value in (("api", api), ("subscription", subscription)) if value is not None}
        where = " and ".join(["PartitionKey eq @partition", *(f"{name} eq @{name}" for name in wanted)])
        async for rows in self._pages(where, {"partition": DIRECTORY, **wanted}):
            yield [record for values in rows if (record := to_scope(values)) is not None]

    async def is_empty(self, scope: str) -> bool:
        """Whether a scope has no rows."""
        async for rows in self._pages("PartitionKey eq @scope", {"scope": scope}, ("RowKey",)):
            if rows:
                return False
        return True

    async def leave(self, record: ScopeRecord) -> None:
        """Take a scope that is empty out of the directory, if nobody can have written into it just now."""
        if record.written < self._now() - 2 * ENTER_AGAIN_SECONDS:
            await self._table.delete(DIRECTORY, record.row_key)

    async def _enter(self, record: Record) -> None:
        entry, moment = record.kept.entry, self._now()
        line = ScopeRecord(entry.scope, entry.api, entry.subscription, storable(record.model), moment)
        entered = self._entered.get(line.row_key)
        if entered is not None and abs(moment - entered) < ENTER_AGAIN_SECONDS:
            return
        await self._table.put(Put(scope_entity(line)))
        self._entered[line.row_key] = moment
        if len(self._entered) > MOST_ENTERED:
            self._entered.popitem(last=False)

    async def _delete(self, scope: str, where: str, values: Mapping[str, Any]) -> int:
        """Remove the answers that a filter finds in a scope, and not what was written of removals; how many."""
        count = 0
        where = f"PartitionKey eq @scope and {where}"
        async for rows in self._pages(where, {"scope": scope, **values}, ("RowKey", "removes")):
            ids = [str(row["RowKey"]) for row in rows if not row.get("removes")]
            await self.delete(scope, ids)
            count += len(ids)
        return count

    async def _pages(
        self, where: str, values: Mapping[str, Any], columns: Sequence[str] | None = None
    ) -> AsyncIterator[list[Mapping[str, Any]]]:
        """The rows that a filter finds. Each page is a call of its own; one that finds nothing may have followers."""
        token: Any = None
        while True:
            try:
                rows, token = await self._tables.send(TABLE, partial(_page, where, values, columns, token))
            except NotFound:
                return
            yield rows
            if not token:
                return


async def _page(
    where: str, values: Mapping[str, Any], columns: Sequence[str] | None, token: Any, client: TableClient
) -> tuple[list[Mapping[str, Any]], Any]:
    found = client.query_entities(
        where, parameters=dict(values), select=list(columns) if columns else None, results_per_page=PAGE_ROWS
    )
    pages = found.by_page(continuation_token=token)
    rows: list[Mapping[str, Any]] = [row async for row in await anext(pages)]
    return rows, getattr(pages, "continuation_token", None)
