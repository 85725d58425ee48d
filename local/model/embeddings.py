"""POST /embeddings: vectors without a trained model, in which texts that share words or parts of words are near.

Every word and every three letters in a row (the word's ends count as letters) are hashed to one dimension and a sign,
added up, and the sum is scaled to length one.
"""

from __future__ import annotations

import base64
import hashlib
import math
import sys
from array import array
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.model.reading import invalid, model_of, read_object, whole_number
from local.model.token_input import read_inputs
from local.model.tokens import tokens_of
from local.model.wishes import Wishes

DEFAULT_DIMENSIONS = 1536
MOST_DIMENSIONS = 4096
WORD_WEIGHT = 1.0
TRIGRAM_WEIGHT = 0.5


async def embeddings(request: Request) -> Response:
    """A vector for each input, as floats or as base64 of little-endian 32-bit floats."""
    body = await read_object(request)
    model = model_of(request, body)
    inputs = read_inputs(body, "input")
    dimensions = whole_number(body, "dimensions", maximum=MOST_DIMENSIONS) or DEFAULT_DIMENSIONS
    encoding = body.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise invalid("encoding_format", "float or base64")
    data = [
        {"object": "embedding", "index": index, "embedding": _encoded(vector_of(item.text, dimensions), encoding)}
        for index, item in enumerate(inputs)
    ]
    answer: dict[str, Any] = {"object": "list", "data": data, "model": model}
    if not Wishes.of(request).no_usage:
        tokens = sum(item.tokens for item in inputs)
        answer["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
    return JSONResponse(answer)


def vector_of(text: str, dimensions: int = DEFAULT_DIMENSIONS) -> array[float]:
    """The vector of a text, of length one, the same on every machine."""
    sums = [0.0] * dimensions
    for feature, weight in _features(text):
        number = int.from_bytes(hashlib.blake2b(feature.encode(errors="replace"), digest_size=8).digest())
        sums[(number >> 1) % dimensions] += weight if number & 1 else -weight
    length = math.hypot(*sums)
    if not length:
        return array("f", [1.0] + [0.0] * (dimensions - 1))
    return array("f", [value / length for value in sums])


def _features(text: str) -> Iterator[tuple[str, float]]:
    for token in tokens_of(text.lower()):
        word = token.strip()
        yield word, WORD_WEIGHT
        padded = f"#{word}#"
        for start in range(len(padded) - 2):
            yield f"#3:{padded[start : start + 3]}", TRIGRAM_WEIGHT


def _encoded(vector: array[float], encoding: str) -> list[float] | str:
    if encoding == "float":
        return vector.tolist()
    if sys.byteorder == "big":
        vector.byteswap()
    return base64.b64encode(vector.tobytes()).decode()
