"""The catalog's table: one row for each document and one for the revision, all in one partition."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from gateway.catalog.loading import LoadFault, from_json, validate, where
from gateway.catalog.models import MODELS, Document, Kind, NamedValue, StoredNamedValue
from gateway.errors import CatalogError, Fault
from gateway.storage.limits import MOST_OPERATIONS, EntityTooLarge, check_entity, encode_key, join_text, split_text
from gateway.storage.tables import Change, Conflict, Delete, NotFound, PreconditionFailed, Put, Row, Tables

PARTITION = "catalog"
REVISION = "revision"
DOCUMENT = "document"
# The service allows 4 MiB; aiohttp warns about bodies of more than 1 MiB, which it sends in one piece.
LARGEST_BODY_BYTES = 768 * 1024
READS = 3

Key = tuple[Kind, str]


class CatalogConflict(CatalogError):
    """Somebody else changed the catalog meanwhile; read it again and try once more."""

    def __init__(self) -> None:
        super().__init__([Fault("", "the catalog was changed by someone else at the same time; try again")])


class CatalogStore:
    """Reads and writes the documents of a catalog. Subscriptions have a store of their own."""

    def __init__(self, tables: Tables) -> None:
        self._table = tables.table("gatewaycatalog")

    async def read_revision(self) -> int:
        """The number of the last change; 0 before the first."""
        row = await self._revision_row()
        return _number(row) if row else 0

    async def load(self) -> tuple[int, list[Document | LoadFault]]:
        """The revision, and every document; a LoadFault for each that cannot be read.

        While someone writes, the revision is the one from before: whoever polls then sees another one and loads again.
        """
        revision, rows = await self._read_all()
        for _ in range(READS - 1):
            if _number_among(rows) == revision:
                break
            revision, rows = await self._read_all()
        return revision, [_document(row) for row in rows if row.values["RowKey"] != REVISION]

    async def save(self, puts: Sequence[Document], deletes: Sequence[Key], expected_revision: int) -> int:
        """Write and remove documents, and return the new revision. Raises CatalogConflict, and EntityTooLarge.

        More than 99 documents take several transactions. Each takes the revision's row along, so that nobody else can
        write in between, and the last one counts it up. Puts come first, what others refer to before the others, and
        deletes last, in the opposite order: whatever has been written when the connection breaks is a valid catalog.
        """
        order = list(MODELS)
        changes: list[Change] = [
            Put(to_entity(document)) for document in sorted(puts, key=lambda each: order.index(each.kind))
        ]
        changes += [
            Delete(PARTITION, row_key(kind, name))
            for kind, name in sorted(deletes, key=lambda each: order.index(each[0]), reverse=True)
        ]
        batches = list(_batches(changes)) or [[]]
        try:
            etag = await self._etag_of(expected_revision)
            for number, batch in enumerate(batches, start=1):
                revision = expected_revision + (1 if number == len(batches) else 0)
                etag = await self._write(batch, revision, etag)
        except (Conflict, PreconditionFailed, NotFound) as error:
            raise CatalogConflict from error
        except EntityTooLarge as error:
            raise CatalogError([Fault("", f"a document is too large to be stored: {error}")]) from error
        return expected_revision + 1

    async def _write(self, batch: Sequence[Change], revision: int, etag: str | None) -> str | None:
        entity = {"PartitionKey": PARTITION, "RowKey": REVISION, "revision": revision}
        answers = await self._table.transact([Put(entity, etag=etag, new=etag is None), *batch])
        return answers[0]

    async def _etag_of(self, expected_revision: int) -> str | None:
        row = await self._revision_row()
        if (_number(row) if row else 0) != expected_revision:
            raise CatalogConflict
        return row.etag if row else None

    async def _revision_row(self) -> Row | None:
        try:
            return await self._table.get(PARTITION, REVISION)
        except NotFound:
            return None

    async def _read_all(self) -> tuple[int, list[Row]]:
        revision = await self.read_revision()
        return revision, await self._table.rows(PARTITION)


def row_key(kind: Kind, name: str) -> str:
    """`Api:openai`."""
    return f"{kind}:{encode_key(name)}"


def to_entity(document: Document) -> dict[str, Any]:
    """The row of a document; raise EntityTooLarge if no row can hold it."""
    if isinstance(document, NamedValue) and document.holds_secret:
        raise ValueError("a secret must be sealed before it is stored")
    text = json.dumps(document.to_json(), ensure_ascii=False, separators=(",", ":"))
    entity = {
        "PartitionKey": PARTITION,
        "RowKey": row_key(document.kind, document.name),
        **split_text(DOCUMENT, text),
    }
    check_entity(entity)
    return entity


def _document(row: Row) -> Document | LoadFault:
    """What a row holds. Rows can be changed by hand, so nothing about them is taken for granted."""
    key = str(row.values["RowKey"])
    kind, name = _key(key)
    # The row's own key, for it has to be found in the table, and what it holds may have no name.
    called = f"row {key}"
    try:
        document = _read(row, called)
        if (document.kind, document.name) != (kind, name):
            raise CatalogError([Fault(called, f"holds {where(document.kind, document.name)} instead")])
    except CatalogError as error:
        return LoadFault(kind, name, error.faults)
    except (KeyError, ValueError, RecursionError) as error:
        return LoadFault(kind, name, (Fault(called, f"the stored document is not JSON ({type(error).__name__})"),))
    return document


def _read(row: Row, called: str) -> Document:
    value = json.loads(join_text(DOCUMENT, row.values))
    if isinstance(value, dict) and value.get("kind") == NamedValue.kind:
        return validate(StoredNamedValue, {name: each for name, each in value.items() if name != "kind"}, called)
    return from_json(value, called)


def _key(key: str) -> tuple[Kind | None, str]:
    kind, _, name = key.partition(":")
    found = next((known for known in MODELS if known == kind and name), None)
    return (found, name) if found else (None, key)


def _number(row: Row) -> int:
    revision = row.values.get("revision")
    # Whatever somebody put there by hand: the next change puts it right.
    return revision if isinstance(revision, int) and not isinstance(revision, bool) else 0


def _number_among(rows: Sequence[Row]) -> int:
    return next((_number(row) for row in rows if row.values["RowKey"] == REVISION), 0)


def _batches(changes: Sequence[Change]) -> Iterator[list[Change]]:
    batch: list[Change] = []
    size = 0
    for change in changes:
        weight = len(json.dumps(dict(change.entity))) if isinstance(change, Put) else 500
        # One place is for the row with the revision.
        if batch and (len(batch) == MOST_OPERATIONS - 1 or size + weight > LARGEST_BODY_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(change)
        size += weight
    if batch:
        yield batch
