"""Table Storage's limits, kept by us: Azurite stores what Azure would refuse, and answers 500 to a key with a slash.

The numbers and the size formula are from Azure's documentation, "Understanding the Table service data model".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

LONGEST_KEY = 1_024
LARGEST_ENTITY_BYTES = 1024 * 1024
MOST_PROPERTIES = 252
LONGEST_TEXT = 32_768
LARGEST_BINARY_BYTES = 64 * 1024
LARGEST_TRANSACTION_BYTES = 4 * 1024 * 1024
MOST_OPERATIONS = 100

KEYS = ("PartitionKey", "RowKey")
# Not allowed in keys are / \ # ? and control characters; % is decoded once too often on some ways to the service, and
# Azurite trips over more (a comma, U+2028). So only these stay as they are; the rest is escaped, byte by byte.
UNSAFE_IN_KEYS = re.compile(r"[^A-Za-z0-9._:~-]+")
ESCAPE = re.compile(r"=([0-9A-F]{2})")
PROPERTY_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
# `"name@odata.type": "Edm.String", "name": , ` without the two names.
SENT_BESIDE = 35
# Half of LONGEST_TEXT: a character beyond 16 bits counts as two.
PIECE = LONGEST_TEXT // 2


class EntityTooLarge(Exception):
    """An entity is beyond what Table Storage holds. The message says which limit, and by how much."""


def encode_key(text: str) -> str:
    """Any text as a partition or row key, a different one for each; raise EntityTooLarge if it gets too long."""
    key = UNSAFE_IN_KEYS.sub(_escaped, text)
    if _units(key) > LONGEST_KEY:
        raise EntityTooLarge(f"a key is {_units(key)} characters long; {LONGEST_KEY} are allowed")
    return key


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"={byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass"))


def split_text(name: str, text: str) -> dict[str, str]:
    """A long text as properties `name00`, `name01` and so on; `join_text` puts it together."""
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)] or [""]
    return {f"{name}{number:02}": piece for number, piece in enumerate(pieces)}


def join_text(name: str, entity: Mapping[str, Any]) -> str:
    """The text that `split_text` took apart; raise KeyError if its beginning is missing."""
    return "".join(_pieces(name, entity))


def _pieces(name: str, entity: Mapping[str, Any]) -> Iterator[str]:
    yield str(entity[f"{name}00"])
    number = 1
    while f"{name}{number:02}" in entity:
        yield str(entity[f"{name}{number:02}"])
        number += 1


def split_bytes(name: str, data: bytes) -> dict[str, bytes]:
    """Many bytes as properties `name00`, `name01` and so on; `join_bytes` puts them together."""
    starts = range(0, max(1, len(data)), LARGEST_BINARY_BYTES)
    return {f"{name}{number:02}": data[start : start + LARGEST_BINARY_BYTES] for number, start in enumerate(starts)}


def join_bytes(name: str, entity: Mapping[str, Any]) -> bytes:
    """The bytes that `split_bytes` took apart; raise KeyError if their beginning is missing, TypeError if not bytes."""
    pieces = [entity[f"{name}00"]]
    while (following := entity.get(f"{name}{len(pieces):02}")) is not None:
        pieces.append(following)
    return b"".join(pieces)


def check_entity(entity: Mapping[str, Any]) -> int:
    """The entity's size in bytes; raise EntityTooLarge if it is beyond any limit, ValueError if it cannot be stored."""
    for name in KEYS:
        _check_key(name, entity[name])
    properties = {name: value for name, value in entity.items() if name not in KEYS}
    if len(properties) > MOST_PROPERTIES:
        raise EntityTooLarge(f"an entity has {len(properties)} properties; {MOST_PROPERTIES} are allowed")
    size = 4 + 2 * sum(_units(entity[name]) for name in KEYS)
    for name, value in properties.items():
        if PROPERTY_NAME.fullmatch(name) is None:
            raise ValueError(f'"{name}" cannot be the name of a property')
        size += 8 + 2 * len(name) + _size(name, value)
    size = max(size, _sent_bytes(entity))
    if size > LARGEST_ENTITY_BYTES:
        raise EntityTooLarge(f"an entity has {size} bytes; {LARGEST_ENTITY_BYTES} are allowed")
    return size


def _check_key(name: str, key: Any) -> None:
    if not isinstance(key, str) or UNSAFE_IN_KEYS.search(ESCAPE.sub("", key)):
        raise ValueError(f"{name} must be text made by encode_key")
    if _units(key) > LONGEST_KEY:
        raise EntityTooLarge(f"{name} is {_units(key)} characters long; {LONGEST_KEY} are allowed")


def _size(name: str, value: Any) -> int:
    if isinstance(value, str):
        if _units(value) > LONGEST_TEXT:
            raise EntityTooLarge(f"{name} has {_units(value)} characters; {LONGEST_TEXT} are allowed, use split_text")
        return 4 + 2 * _units(value)
    if isinstance(value, bytes):
        if len(value) > LARGEST_BINARY_BYTES:
            raise EntityTooLarge(f"{name} has {len(value)} bytes; {LARGEST_BINARY_BYTES} are allowed")
        return 4 + len(value)
    if isinstance(value, bool):
        return 1
    if isinstance(value, int) and not -(2**31) <= value < 2**31:
        raise ValueError(f"{name} is a number that 32 bits cannot hold; store it as text")
    if isinstance(value, int | float | datetime):
        return 8
    raise ValueError(f"{name} is a {type(value).__name__}, which a table cannot hold")


def _sent_bytes(entity: Mapping[str, Any]) -> int:
    """What Azurite counts: the request's JSON, in which a letter beyond ASCII is an escape of six bytes."""
    return sum(2 * len(name) + SENT_BESIDE + _sent_length(value) for name, value in entity.items())


def _sent_length(value: Any) -> int:
    # Base64 in quotation marks.
    return 4 * -(-len(value) // 3) + 2 if isinstance(value, bytes) else len(json.dumps(value, default=str))


def _units(text: str) -> int:
    """UTF-16 code units: what Azure calls characters."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
