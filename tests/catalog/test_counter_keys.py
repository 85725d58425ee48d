"""Counter keys as they are written; `test_limits.py` has what is refused."""

import pytest

from gateway.catalog.counter_keys import KeyPart, parse_counter_key

KEYS = {
    "subscription": (KeyPart("subscription"),),
    "header:X-Team": (KeyPart("header", "x-team"),),
    "user:x-user+model": (KeyPart("user", "x-user"), KeyPart("model")),
    "all.of_us-2": (KeyPart("text", "all.of_us-2"),),
}


@pytest.mark.parametrize(("text", "parts"), KEYS.items(), ids=KEYS.keys())
def test_counter_keys(text: str, parts: tuple[KeyPart, ...]) -> None:
    """What they are made of."""
    assert parse_counter_key(text) == parts
