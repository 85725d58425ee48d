"""Embeddings through the official client, and raw."""

from __future__ import annotations

import base64
import struct
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from local.model import ModelServer


def similarity(client: OpenAI, first: str, second: str) -> float:
    one, other = client.embeddings.create(model="any", input=[first, second]).data
    return sum(a * b for a, b in zip(one.embedding, other.embedding, strict=True))


def test_embeddings_of_similar_texts_are_near(client: OpenAI) -> None:
    """Length one; the same text is at the same place, related words are nearer than strangers."""
    assert similarity(client, "cancel my order", "cancel my order") == pytest.approx(1, abs=1e-5)
    related = similarity(client, "how do I cancel my order", "cancelling an order")
    assert related > 0.2 > similarity(client, "how do I cancel my order", "tropical fish")


@pytest.mark.parametrize(
    ("value", "count", "tokens"),
    [("two words", 1, 2), (["one", "two words"], 2, 3), ([1, 2, 3], 1, 3), ([[1, 2], [3]], 2, 3)],
    ids=["string", "strings", "tokens", "lists of tokens"],
)
def test_embeddings_take_every_input(client: OpenAI, value: Any, count: int, tokens: int) -> None:
    """Each of the four forms of input is read and counted."""
    answer = client.embeddings.create(model="any", input=value, dimensions=8)
    assert [len(item.embedding) for item in answer.data] == [8] * count
    assert answer.usage.prompt_tokens == tokens


def test_embeddings_are_the_same_in_both_encodings(server: ModelServer) -> None:
    """base64 holds the same 32-bit floats as the list."""
    request = {"model": "any", "input": "hello", "dimensions": 16}
    floats, packed = (
        httpx2.post(f"{server.url}/embeddings", json={**request, "encoding_format": encoding}).json()
        for encoding in ("float", "base64")
    )
    unpacked = struct.unpack("<16f", base64.b64decode(packed["data"][0]["embedding"]))
    assert list(unpacked) == floats["data"][0]["embedding"]
