"""Answers in Redis with the query engine: shared by all instances, and nothing in an instance's memory.

redis-py is imported when the first call is made. All keys begin with `gateway:cache:`.

    entry:SCOPE:ID      a hash: the entry, its vector and its answer
    same:SCOPE:EXACT    the id of the newest entry of a text
    scope:SCOPE         a sorted set: the ids of a scope's entries, by the time when they were made
    scopes              a hash: the directory, a line for each scope and subscription

All but the directory leave by themselves when their time is over. For each number of dimensions there is one index
(HNSW, cosine) of the entries that have a vector of so many. Scope and conversation are tags in it: no search can look
beyond them.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from gateway.cache.entry import Match
from gateway.errors import StorageUnavailable
from gateway.storage.cache_rows import Kept, Page, Record, ScopeRecord, storable
from gateway.storage.redis_rows import (
    DIRECTORY,
    FIELDS,
    FLOAT_BYTES,
    KEYS,
    VECTOR,
    entry_key,
    from_fields,
    from_line,
    index_name,
    same_key,
    scope_key,
    text_of,
    to_fields,
    vector_field,
)

if TYPE_CHECKING:
    from redis.asyncio import Redis

# A look-up is on a call's way. A server that is reached at all answers within milliseconds.
CONNECT_SECONDS = 1.0
CALL_SECONDS = 1.0
MOST_CONNECTIONS = 64
# Entries that are read or removed in one go.
PAGE = 100


class NoQueryEngine(Exception):
    """This Redis has none: the same text is found, and nothing by its meaning."""


class RedisCacheStore:
    """Raises StorageUnavailable when Redis is away, late, or refuses. `now` is in seconds since 1970."""

    def __init__(self, url: str, now: Callable[[], float] = time.time) -> None:
        self._url = url
        self._now = now
        self._made: Redis | None = None
        self._indexes: set[int] = set()

    async def same(self, scope: str, exact: bytes) -> Kept | None:
        """The newest entry of a text."""
        id = await self._call(lambda redis: redis.get(same_key(scope, exact)))
        kept = None if id is None else await self.entry(scope, text_of(id))
        return kept if kept is not None and kept.entry.exact == exact else None

    async def nearest(self, scope: str, context: bytes, vector: bytes, threshold: float, limit: int) -> list[Match]:
        """The nearest entries of a conversation at most `threshold` away, nearest first. Raises NoQueryEngine."""
        await self._prepare(len(vector) // FLOAT_BYTES)
        found = await self._search(scope, context, vector, limit)
        near = [(id, distance) for id, distance in found if distance <= threshold]
        rows = await self._rows(scope, [id for id, _ in near])
        return [Match(kept.entry, distance) for (_, distance), kept in zip(near, rows, strict=True) if kept is not None]

    async def write(self, record: Record, most: int) -> None:
        """Keep an answer, and no more than `most` of its scope: the oldest leave, and an older one of the same text."""
        entry, scope = record.kept.entry, scope_key(record.kept.entry.scope)
        until = math.ceil(entry.expires)

        async def send(redis: Redis) -> list[Any]:
            async with redis.pipeline(transaction=False) as pipe:
                pipe.hset(entry_key(entry.scope, entry.id), mapping=to_fields(record))
                pipe.expireat(entry_key(entry.scope, entry.id), until)
                pipe.set(same_key(entry.scope, entry.exact), entry.id, exat=until, get=True)
                pipe.zadd(scope, {entry.id: entry.created})
                # The set lives as long as the last of its entries: the one is for a new set, the other for an old one.
                pipe.expireat(scope, until, nx=True)
                pipe.expireat(scope, until, gt=True)
                pipe.hset(DIRECTORY, *self._line(record))
                pipe.zcard(scope)
                return await pipe.execute()

        answers = await self._call(send)
        older, count = answers[2], int(answers[-1])
        gone = [] if older is None or text_of(older) == entry.id else [text_of(older)]
        if count > most:
            gone += await self._ids(entry.scope, count - most)
        await self.delete(entry.scope, gone)

    async def answer(self, scope: str, id: str) -> bytes | None:
        """The answer of an entry, None if it is not there."""
        return cast(bytes | None, await self._call(lambda redis: redis.hget(entry_key(scope, id), "answer")))

    async def entry(self, scope: str, id: str) -> Kept | None:
        """An entry with its prompt and without its vector, None if it is not there or cannot be read."""
        return (await self._rows(scope, [id]))[0]

    async def load(self, scope: str) -> AsyncIterator[Page]:
        """What is kept in a scope, with its vectors, the oldest first."""
        ids = await self._ids(scope)
        for start in range(0, len(ids), PAGE):
            rows = await self._rows(scope, ids[start : start + PAGE], with_vectors=True)
            yield Page(tuple(kept for kept in rows if kept is not None))

    async def scopes(self, api: str | None = None, subscription: str | None = None) -> AsyncIterator[list[ScopeRecord]]:
        """The directory: of one API, of one subscription, or all. Lines of what is gone leave it."""
        lines: dict[bytes, bytes] = await self._call(lambda redis: redis.hgetall(DIRECTORY))
        found: list[ScopeRecord] = []
        for name, line in lines.items():
            record = from_line(line)
            if record is None or not await self._ids(record.scope, 1):
                await self._call(partial(_leave, name))
            elif api in (None, record.api) and subscription in (None, record.subscription):
                found.append(record)
        yield found

    async def remove(
        self, scope: str, *, before: float | None = None, subscription: str | None = None, id: str = ""
    ) -> int:
        """Remove one entry, or those made before a moment, or those of a subscription; how many there were."""
        removed = 0
        ids = [id] if id else await self._ids(scope)
        for start in range(0, len(ids), PAGE):
            rows = await self._rows(scope, ids[start : start + PAGE])
            entries = [kept.entry for kept in rows if kept is not None]
            gone = [
                entry.id
                for entry in entries
                if (before is None or entry.created < before) and subscription in (None, entry.subscription)
            ]
            await self.delete(scope, gone)
            removed += len(gone)
        return removed

    async def delete(self, scope: str, ids: Sequence[str]) -> None:
        """Remove entries. Those that are not there are as good as removed."""
        if not ids:
            return

        async def send(redis: Redis) -> None:
            async with redis.pipeline(transaction=False) as pipe:
                pipe.zrem(scope_key(scope), *ids)
                pipe.unlink(*(entry_key(scope, id) for id in ids))
                await pipe.execute()

        await self._call(send)

    async def aclose(self) -> None:
        """Close every connection."""
        made, self._made = self._made, None
        if made is not None:
            await made.aclose()

    async def _search(self, scope: str, context: bytes, vector: bytes, limit: int) -> list[tuple[str, float]]:
        from redis.commands.search.query import Query

        dimensions = len(vector) // FLOAT_BYTES
        # Scope and context are hexadecimal digits, so there is nothing to escape.
        of_scope = f"@scope:{{{scope}}} @context:{{{context.hex()}}}"
        where = f"({of_scope})=>[KNN {limit} @{vector_field(dimensions)} $vector AS distance]"
        query = Query(where).sort_by("distance").return_fields("distance").paging(0, limit).dialect(2)
        index = index_name(dimensions)
        found = await self._call(lambda redis: redis.ft(index).search(query, query_params={"vector": vector}))
        return [(str(each.id).rpartition(":")[2], max(0.0, float(each.distance))) for each in found.docs]

    async def _prepare(self, dimensions: int) -> None:
        """Have the index of so many dimensions, made by the first who needs it."""
        if dimensions in self._indexes:
            return
        vector = ("TYPE", "FLOAT32", "DIM", dimensions, "DISTANCE_METRIC", "COSINE")
        schema = ("scope", "TAG", "context", "TAG", vector_field(dimensions), "VECTOR", "HNSW", len(vector), *vector)
        command = ("FT.CREATE", index_name(dimensions), "ON", "HASH", "PREFIX", 1, f"{KEYS}entry:", "SCHEMA", *schema)
        await self._call(lambda redis: redis.execute_command(*command), "already exists")  # type: ignore[no-untyped-call]
        self._indexes.add(dimensions)

    async def _rows(self, scope: str, ids: Sequence[str], *, with_vectors: bool = False) -> list[Kept | None]:
        rows = await self._read(scope, [(id, (*FIELDS, VECTOR)) for id in ids])
        vectors: Sequence[Sequence[bytes | None]] = [(None,)] * len(rows)
        if with_vectors:
            # What stands there is the field's name.
            vectors = await self._read(
                scope, [(id, (text_of(row[-1] or b"-"),)) for id, row in zip(ids, rows, strict=True)]
            )
        found = zip(ids, rows, vectors, strict=True)
        return [from_fields(scope, id, dict(zip(FIELDS, row, strict=False)), vector[0]) for id, row, vector in found]

    async def _read(self, scope: str, wanted: Sequence[tuple[str, Sequence[str]]]) -> Sequence[Sequence[bytes | None]]:
        async def send(redis: Redis) -> list[Any]:
            async with redis.pipeline(transaction=False) as pipe:
                for id, names in wanted:
                    pipe.hmget(entry_key(scope, id), list(names))
                return await pipe.execute()

        return await self._call(send) if wanted else []

    async def _ids(self, scope: str, count: int = 0) -> list[str]:
        """All of a scope, or its oldest ones."""
        return [text_of(id) for id in await self._call(lambda redis: redis.zrange(scope_key(scope), 0, count - 1))]

    def _line(self, record: Record) -> tuple[str, str]:
        entry = record.kept.entry
        line = ScopeRecord(entry.scope, entry.api, entry.subscription, storable(record.model), self._now())
        return line.row_key, json.dumps(asdict(line))

    async def _call(self, work: Callable[[Redis], Awaitable[Any]], allowed: str = "\0") -> Any:
        if self._made is None:
            # It takes 70 ms, in which nobody else would have a turn.
            await asyncio.to_thread(_load)
        from redis.exceptions import RedisError, ResponseError

        try:
            return await work(self._redis())
        except ResponseError as error:
            said = str(error).lower()
            if allowed in said:
                return None
            if "unknown command" in said:
                raise NoQueryEngine from None
            if "no such index" in said:
                # Somebody emptied this Redis. It is made again for the next one who asks.
                self._indexes.clear()
            raise StorageUnavailable(f"Redis refuses: {type(error).__name__}") from None
        except (RedisError, OSError, TimeoutError) as error:
            # Its words may have the URL in them, and so the password.
            raise StorageUnavailable(f"Redis does not answer: {type(error).__name__}") from None

    def _redis(self) -> Redis:
        if self._made is None:
            from redis.asyncio import BlockingConnectionPool, Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff

            # The protocol's version 2 is what every server with a query engine speaks.
            # More calls at once than there are connections wait for one: that is no outage.
            pool = BlockingConnectionPool.from_url(
                self._url,
                protocol=2,
                timeout=CALL_SECONDS,
                socket_connect_timeout=CONNECT_SECONDS,
                socket_timeout=CALL_SECONDS,
                max_connections=MOST_CONNECTIONS,
                retry=Retry(NoBackoff(), 0),
            )
            self._made = Redis.from_pool(pool)
        return self._made


def _load() -> None:
    for module in ("redis.asyncio", "redis.commands.search.query"):
        import_module(module)


async def _leave(name: bytes, redis: Redis) -> None:
    await redis.hdel(DIRECTORY, name)
