"""What stands in Redis of an answer that is kept: names of keys, and fields of hashes. `redis_cache.py` says which."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateway.storage.cache_rows import Kept, Record, ScopeRecord, storable, to_kept, to_scope

KEYS = "gateway:cache:"
DIRECTORY = f"{KEYS}scopes"
FLOAT_BYTES = 4
TEXTS = ("space", "api", "subscription", "prompt")
BYTES = ("context", "exact", "fingerprint")
MOMENTS = ("created", "expires")
# Not there in what was kept before it was.
STAMP = "stamp"
FIELDS = (*TEXTS, *BYTES, *MOMENTS, STAMP)
# The name of the field with the vector, which says how long it is: the index of vectors of that length looks for it.
VECTOR = "vector"


def entry_key(scope: str, id: str) -> str:
    """Of an entry's hash."""
    return f"{KEYS}entry:{scope}:{id}"


def same_key(scope: str, exact: bytes) -> str:
    """Of the id of a text's newest entry."""
    return f"{KEYS}same:{scope}:{exact.hex()}"


def scope_key(scope: str) -> str:
    """Of a scope's ids."""
    return f"{KEYS}scope:{scope}"


def index_name(dimensions: int) -> str:
    """Of the index of vectors of so many numbers."""
    return f"{KEYS}index:{dimensions}"


def vector_field(dimensions: int) -> str:
    """Of a vector of so many numbers."""
    return f"vector{dimensions}"


def text_of(value: bytes) -> str:
    """What Redis has, as text, whatever it is."""
    return value.decode(errors="replace")


def to_fields(record: Record) -> dict[Any, Any]:
    """An entry's hash, whole."""
    entry, vector = record.kept.entry, record.kept.vector
    fields: dict[Any, Any] = {
        "scope": entry.scope,
        "space": record.kept.space,
        **{name: getattr(entry, name).hex() for name in BYTES},
        **{name: repr(getattr(entry, name)) for name in MOMENTS},
        "api": entry.api,
        "subscription": entry.subscription,
        "prompt": storable(entry.prompt),
        STAMP: entry.stamp,
        "answer": record.answer,
    }
    if vector is not None:
        field = vector_field(len(vector) // FLOAT_BYTES)
        fields |= {VECTOR: field, field: vector}
    return fields


def from_fields(scope: str, id: str, values: Mapping[str, bytes | None], vector: bytes | None) -> Kept | None:
    """An entry from the fields of its hash, None if they make no sense."""
    said = {name: text_of(value) for name, value in values.items() if value is not None}
    try:
        return to_kept(
            {
                **{name: said[name] for name in TEXTS},
                **{name: bytes.fromhex(said[name]) for name in BYTES},
                **{name: float(said[name]) for name in MOMENTS},
                STAMP: said.get(STAMP),
                "PartitionKey": scope,
                "RowKey": id,
                VECTOR: vector,
            }
        )
    except (KeyError, TypeError, ValueError):
        return None


def from_line(line: bytes) -> ScopeRecord | None:
    """A line of the directory, None if it makes no sense."""
    try:
        return to_scope(json.loads(line))
    except ValueError:
        return None
