"""Table Storage's limits, which Azurite does not keep."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.storage.limits import (
    LARGEST_BINARY_BYTES,
    LONGEST_KEY,
    LONGEST_TEXT,
    MOST_PROPERTIES,
    EntityTooLarge,
    check_entity,
    encode_key,
    join_bytes,
    join_text,
    split_bytes,
    split_text,
)

KEYS = {"PartitionKey": "p", "RowKey": "r"}
FORBIDDEN = set("/\\#?%,") | {chr(number) for number in (*range(0x20), *range(0x7F, 0xA0))}
# An escaped character takes up to twelve, and a key at most 1,024.
ANY_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=85)


@given(ANY_TEXT)
def test_any_text_can_be_a_key(text: str) -> None:
    """Nothing that Azure forbids is left in it."""
    assert not FORBIDDEN & set(encode_key(text))


@given(ANY_TEXT, ANY_TEXT)
def test_different_texts_have_different_keys(one: str, other: str) -> None:
    """Otherwise one document would overwrite another."""
    assert (encode_key(one) == encode_key(other)) == (one == other)


def test_names_of_documents_are_keys_as_they_are() -> None:
    """So that the table can be read by people."""
    assert encode_key("openai-eu-2") == "openai-eu-2"
    assert encode_key("a/b=c%d") == "a=2Fb=3Dc=25d"


def test_a_key_may_have_1024_characters() -> None:
    """UTF-16 units, after escaping."""
    assert len(encode_key("x" * LONGEST_KEY)) == LONGEST_KEY
    for text in ("x" * (LONGEST_KEY + 1), "/" * 342, "😀" * 513):
        with pytest.raises(EntityTooLarge):
            encode_key(text)


@given(st.binary(max_size=10).map(lambda data: data * 20_000))
def test_many_bytes_are_split_and_joined(data: bytes) -> None:
    """Each piece fits in a property."""
    pieces = split_bytes("answer", data)
    assert all(len(piece) <= LARGEST_BINARY_BYTES for piece in pieces.values())
    assert join_bytes("answer", {"other": 1, **pieces}) == data


def test_bytes_count_as_base64() -> None:
    """As they are sent: four characters for three bytes, whatever they are."""
    size = 750_000
    for byte in (b"x", b"\x00", b"\xff"):
        assert size * 4 / 3 < check_entity({**KEYS, **split_bytes("answer", byte * size)}) < size * 4 / 3 + 3_000
    with pytest.raises(EntityTooLarge):
        check_entity({**KEYS, **split_bytes("answer", bytes(800_000))})


@given(ANY_TEXT.map(lambda text: text * 400))
def test_long_text_is_split_and_joined(text: str) -> None:
    """Each piece fits in a property, whatever its characters."""
    pieces = split_text("document", text)
    assert all(len(piece.encode("utf-16-le")) // 2 <= LONGEST_TEXT for piece in pieces.values())
    assert join_text("document", {"other": 1, **pieces}) == text


def test_text_without_a_beginning_is_not_joined() -> None:
    """A row that was changed by hand."""
    with pytest.raises(KeyError):
        join_text("document", {"document01": "x"})


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"a": "x" * LONGEST_TEXT},
        {"a": "😀" * (LONGEST_TEXT // 2)},
        {"a": b"x" * LARGEST_BINARY_BYTES},
        {f"p{number}": number for number in range(MOST_PROPERTIES)},
        {f"p{number}": "x" * LONGEST_TEXT for number in range(15)},
        {"a": 2**31 - 1, "b": -(2**31), "c": 1.5, "d": True, "e": datetime(2026, 1, 1, tzinfo=UTC), "f": ""},
    ],
    ids=["empty", "text", "emoji", "binary", "properties", "size", "types"],
)
def test_what_fits_is_accepted(properties: dict[str, Any]) -> None:
    """Up to each limit."""
    assert check_entity({**KEYS, **properties}) > 0


@pytest.mark.parametrize(
    ("entity", "message"),
    [
        ({**KEYS, "a": "x" * (LONGEST_TEXT + 1)}, "a has 32769 characters; 32768 are allowed"),
        ({**KEYS, "a": "😀" * (LONGEST_TEXT // 2 + 1)}, "a has 32770 characters"),
        ({**KEYS, "a": b"x" * (LARGEST_BINARY_BYTES + 1)}, "a has 65537 bytes; 65536 are allowed"),
        ({**KEYS, **{f"p{number}": 1 for number in range(MOST_PROPERTIES + 1)}}, "has 253 properties; 252 are allowed"),
        ({**KEYS, **{f"p{number}": "x" * LONGEST_TEXT for number in range(16)}}, "1048576 are allowed"),
        (
            {**KEYS, **split_text("document", "é" * 400_000)},
            r"an entity has 2\d{6} bytes; 1048576 are allowed",
        ),
        ({**KEYS, "RowKey": "x" * 1_025}, "RowKey is 1025 characters long; 1024 are allowed"),
    ],
    ids=["text", "emoji", "binary", "properties", "size", "escapes", "key"],
)
def test_what_is_too_large_is_refused_before_it_is_sent(entity: dict[str, Any], message: str) -> None:
    """One beyond each limit; the message has the limit, not the value."""
    with pytest.raises(EntityTooLarge, match=message) as caught:
        check_entity(entity)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "entity",
    [
        {**KEYS, "RowKey": "a/b"},
        {**KEYS, "PartitionKey": "a?"},
        {**KEYS, "RowKey": 7},
        {**KEYS, "with space": 1},
        {**KEYS, "x" * 256: 1},
        {**KEYS, "a": 2**31},
        {**KEYS, "a": {"b": 1}},
        {**KEYS, "a": None},
    ],
)
def test_what_no_table_can_hold_is_refused(entity: dict[str, Any]) -> None:
    """Azurite would store some of it and answer 500 to the rest."""
    with pytest.raises(ValueError, match=r"must be|cannot"):
        check_entity(entity)
