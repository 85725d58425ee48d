"""Answers as bytes."""

import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cache.answers.stored import LARGEST_DOCUMENT_BYTES, StoredAnswer
from gateway.llm.tokens import Protocol
from tests.cache.answers.samples import SAMPLES, chat, choice, stored


@pytest.mark.parametrize("name", SAMPLES)
def test_an_answer_comes_back_from_its_bytes(name: str) -> None:
    """Equal, and the same answer gives the same bytes."""
    answer = stored(name)
    again = StoredAnswer.from_bytes(answer.to_bytes())
    assert again == answer
    assert again.to_bytes() == answer.to_bytes()


def packed(**changes: Any) -> bytes:
    """An answer's bytes, as somebody else might write them."""
    kept = {"format": 1, "protocol": "chat/completions", "document": chat(choice("Hi")), **changes}
    return zlib.compress(json.dumps(kept).encode())


GOOD = packed()
BAD: dict[str, bytes] = {
    "nothing": b"",
    "not compressed": b'{"format": 1}',
    "cut": GOOD[:-1],
    "not alone": GOOD + b"x",
    "no JSON": zlib.compress(b"Hello"),
    "no text": zlib.compress(b"\xff\xfe\x00"),
    "a list": zlib.compress(b"[]"),
    "a later format": packed(format=2),
    "no format": packed(format=None),
    "an unknown protocol": packed(protocol="telegraph"),
    "a protocol that is not kept": packed(protocol="embeddings"),
    "no protocol": packed(protocol=["chat/completions"]),
    "no document": packed(document=None),
    "a document of another kind": packed(document={"choices": []}),
    "half a document": packed(document=chat(choice("Hi", "length"))),
    "nested too deep": zlib.compress(b"[" * 500_000),
    "more than it seems": zlib.compress(b" " * (LARGEST_DOCUMENT_BYTES + 1)),
}


@pytest.mark.parametrize("name", BAD)
def test_bytes_that_are_no_answer(name: str) -> None:
    """ValueError, whatever they are."""
    assert StoredAnswer.from_bytes(GOOD).protocol is Protocol.CHAT
    with pytest.raises(ValueError):  # noqa: PT011 - what it says differs, what it is does not
        StoredAnswer.from_bytes(BAD[name])


@given(st.binary(max_size=300), st.integers(0, len(GOOD)))
def test_any_damage_is_seen(other: bytes, place: int) -> None:
    """Bytes in the place of others."""
    damaged = GOOD[:place] + other + GOOD[place + len(other) :]
    if damaged != GOOD:
        with pytest.raises(ValueError):  # noqa: PT011
            StoredAnswer.from_bytes(damaged)
