"""The rows of the cache's table: answers that are kept, what was removed, and the directory of scopes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.cache.entry import ID, Entry
from gateway.storage.limits import PIECE, join_bytes, split_bytes

# The partition of the directory; all others are named for a scope, 64 hexadecimal digits.
DIRECTORY = "scopes"
HASH_BYTES = 16
ANSWER = "answer"
# All columns of an entry that a look-up needs. The answer and the prompt are read when they are wanted.
LOADED = (
    "RowKey",
    "PartitionKey",
    "vector",
    "space",
    "context",
    "exact",
    "fingerprint",
    "created",
    "expires",
    "api",
    "subscription",
    "stamp",
    "removes",
    "before",
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A row without its answer. `vector` is little-endian float32, None if the entry is only found by the same text.

    `space` names what the vector was made by: the embeddings model and the number of its dimensions.
    """

    entry: Entry
    vector: bytes | None = None
    space: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """All there is to write of an answer. `model` is the one that answered, for the directory."""

    kept: Kept
    answer: bytes
    model: str = ""


@dataclass(frozen=True, slots=True)
class Removal:
    """Entries that somebody removed, written so that instances which hold them hear of it.

    `entry` is the id of one; empty: all that are not after `before`, an id. `subscription`: only this one's.
    """

    id: str
    scope: str
    before: str
    entry: str = ""
    subscription: str | None = None

    def covers(self, entry: Entry) -> bool:
        """Whether an entry of this scope is removed."""
        if self.entry:
            return entry.id == self.entry
        return entry.id <= self.before and self.subscription in (None, entry.subscription)


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a scope, in the order of their keys.

    `unreadable` are the keys of those that make no sense, `last` is the last key of all; empty if there are no rows.
    """

    kept: Sequence[Kept] = ()
    removals: Sequence[Removal] = ()
    unreadable: Sequence[str] = ()
    last: str = ""


@dataclass(frozen=True, slots=True)
class ScopeRecord:
    """One line of the directory: that one subscription's answers were kept in a scope, `written` at about this time."""

    scope: str
    api: str
    subscription: str
    model: str
    written: float

    @property
    def row_key(self) -> str:
        """A different one for each scope and subscription, whatever that is called."""
        return f"{self.scope}-{hashlib.sha256(self.subscription.encode()).hexdigest()[:16]}"


def to_entity(record: Record) -> dict[str, Any]:
    """A whole row."""
    entry, vector = record.kept.entry, record.kept.vector
    entity: dict[str, Any] = {
        "PartitionKey": entry.scope,
        "RowKey": entry.id,
        "space": record.kept.space,
        "context": entry.context,
        "exact": entry.exact,
        "fingerprint": entry.fingerprint,
        "created": entry.created,
        "expires": entry.expires,
        "api": entry.api,
        "subscription": entry.subscription,
        "model": storable(record.model),
        **split_bytes(ANSWER, record.answer),
    }
    if vector is not None:
        entity["vector"] = vector
    if entry.stamp:
        entity["stamp"] = entry.stamp
    if entry.prompt:
        # It is there for people to look at: its beginning will do.
        entity["prompt"] = storable(entry.prompt[:PIECE])
    return entity


def removal_entity(removal: Removal, expires: float) -> dict[str, Any]:
    """A row that is kept until no instance can have missed it."""
    entity: dict[str, Any] = {
        "PartitionKey": removal.scope,
        "RowKey": removal.id,
        "expires": expires,
        "removes": removal.entry or "*",
        "before": removal.before,
    }
    return entity if removal.subscription is None else {**entity, "subscription": removal.subscription}


def scope_entity(record: ScopeRecord) -> dict[str, Any]:
    """A row of the directory."""
    return {
        "PartitionKey": DIRECTORY,
        "RowKey": record.row_key,
        "scope": record.scope,
        "api": record.api,
        "subscription": record.subscription,
        "model": storable(record.model),
        "written": record.written,
    }


def to_page(rows: Sequence[Mapping[str, Any]]) -> Page:
    """What can be read of some rows. None of them makes this fail."""
    kept: list[Kept] = []
    removals: list[Removal] = []
    unreadable: list[str] = []
    for values in rows:
        try:
            if values.get("removes"):
                removals.append(_to_removal(values))
            else:
                kept.append(to_kept(values))
        except (KeyError, TypeError, ValueError):
            unreadable.append(str(values["RowKey"]))
    return Page(tuple(kept), tuple(removals), tuple(unreadable), str(rows[-1]["RowKey"]) if rows else "")


def to_kept(values: Mapping[str, Any]) -> Kept:
    """A row without its answer; raise KeyError, TypeError or ValueError if it makes no sense."""
    vector = values.get("vector")
    entry = Entry(
        id=_id(values["RowKey"]),
        scope=_text(values["PartitionKey"]),
        context=_hash(values["context"]),
        exact=_hash(values["exact"]),
        fingerprint=_bytes(values["fingerprint"]),
        created=_moment(values["created"]),
        expires=_moment(values["expires"]),
        api=_text(values["api"]),
        subscription=_text(values["subscription"]),
        prompt=_text(values.get("prompt") or ""),
        stamp=_text(values.get("stamp") or ""),
    )
    return Kept(entry, None if vector is None else _bytes(vector), _text(values["space"]))


def to_answer(values: Mapping[str, Any]) -> bytes:
    """The answer of a row; raise KeyError or TypeError if there is none."""
    return join_bytes(ANSWER, values)


def to_scope(values: Mapping[str, Any]) -> ScopeRecord | None:
    """A line of the directory, None if it makes no sense."""
    try:
        scope, api, subscription, model = (_text(values[name]) for name in ("scope", "api", "subscription", "model"))
        return ScopeRecord(scope, api, subscription, model, _moment(values["written"]))
    except (KeyError, TypeError, ValueError):
        return None


def storable(text: str) -> str:
    """Callers write prompts and choose models, and not every character can be sent to storage."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "?" for letter in text)


def _to_removal(values: Mapping[str, Any]) -> Removal:
    removes, subscription = _text(values["removes"]), values.get("subscription")
    return Removal(
        id=_id(values["RowKey"]),
        scope=_text(values["PartitionKey"]),
        before=_text(values["before"]),
        entry="" if removes == "*" else removes,
        subscription=None if subscription is None else _text(subscription),
    )


def _id(value: Any) -> str:
    if ID.fullmatch(_text(value)) is None:
        raise ValueError("a row's key is no id")
    return str(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text is expected")
    return value


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError("bytes are expected")
    return value


def _hash(value: Any) -> bytes:
    if len(_bytes(value)) != HASH_BYTES:
        raise ValueError("a hash has another length")
    return bytes(value)


def _moment(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise ValueError("a moment is expected")
    return float(value)
