"""Subscription keys: 256 random bits, a prefix to know them by, a checksum that tells mistyped ones at once."""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib

PREFIX = "gw_"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# 62 ** 43 > 2 ** 256 and 62 ** 6 > 2 ** 32: the least number of characters that holds each.
RANDOM_CHARACTERS = 43
CHECK_CHARACTERS = 6
WHOLE = len(PREFIX) + RANDOM_CHARACTERS + CHECK_CHARACTERS
SHAPE = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{RANDOM_CHARACTERS + CHECK_CHARACTERS}}}")


def generate() -> str:
    """A new key, from the operating system's random numbers."""
    body = PREFIX + _base62(secrets.randbits(256), RANDOM_CHARACTERS)
    return body + _check(body)


def is_well_formed(key: str) -> bool:
    """Whether this could be one of our keys. Says nothing secret: anyone can compute the checksum."""
    if len(key) != WHOLE or SHAPE.fullmatch(key) is None:
        return False
    return key[-CHECK_CHARACTERS:] == _check(key[:-CHECK_CHARACTERS])


def holds_key(text: str) -> bool:
    """Whether there is something of the shape of a key anywhere in a text."""
    return PREFIX in text and SHAPE.search(text) is not None


def digest(key: str) -> str:
    """The SHA-256 in hex: all that is stored. A key has 256 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(key.encode()).hexdigest()


def _check(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), CHECK_CHARACTERS)


def _base62(number: int, width: int) -> str:
    characters = []
    for _ in range(width):
        number, remainder = divmod(number, len(ALPHABET))
        characters.append(ALPHABET[remainder])
    return "".join(reversed(characters))
