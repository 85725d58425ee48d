"""What the `openai` SDK returns or raises, judged: a vector that can be used, or why there is none.

The SDK builds its answers without checking them, and its messages can quote what was asked.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# These refuse one text, for example one that is too long; others may still be asked for.
ABOUT_THE_TEXT = frozenset({400, 413, 422})


# A shorter vector is no more than an error of rounding.
SHORTEST = 1e-30


class Failure(NamedTuple):
    """`detail` is safe to log; `is_outage` says that another text would fare no better."""

    reason: str
    detail: str
    is_outage: bool = True


class Unusable(ValueError):
    """An answer without a vector that can be used. The message is safe to log."""


def vector_of(answer: Any, dimensions: int | None) -> NDArray[np.float32]:
    """The one vector of an answer, at length one. Raises Unusable, or what a malformed answer leads to."""
    import numpy as np

    if len(answer.data) != 1:
        raise Unusable(f"{len(answer.data)} vectors for one text")
    # In 64 bits, for numbers too large or too small for 32 to be told from infinite ones and from zero.
    vector = np.asarray(answer.data[0].embedding, dtype=np.float64)
    if vector.ndim != 1 or not vector.size:
        raise Unusable("no vector")
    if dimensions is not None and len(vector) != dimensions:
        raise Unusable(f"{len(vector)} dimensions instead of {dimensions}")
    if not np.isfinite(vector).all():
        raise Unusable("numbers that are not finite")
    length = math.hypot(*vector.tolist())
    if length < SHORTEST or not math.isfinite(length):
        raise Unusable(f"a vector of length {length}")
    unit = (vector / length).astype(np.float32)
    unit.flags.writeable = False
    return unit


def tokens_of(answer: Any) -> int:
    """What was charged for, 0 if the answer does not say."""
    tokens = getattr(getattr(answer, "usage", None), "prompt_tokens", None)
    return tokens if isinstance(tokens, int) and tokens > 0 else 0


def failure_of(error: Exception) -> Failure:
    """What was raised on the way to a vector, in the words of `embedder.py`."""
    import openai

    if isinstance(error, openai.APIStatusError):
        return _failure_of_status(error.status_code)
    if isinstance(error, (TimeoutError, openai.APITimeoutError)):
        return Failure("embeddings-timeout", "no answer in time")
    if isinstance(error, openai.APIConnectionError):
        return Failure("embeddings-unavailable", str(error.__cause__))
    return Failure("embeddings-wrong", str(error) if isinstance(error, Unusable) else type(error).__name__)


def _failure_of_status(status: int) -> Failure:
    detail = f"status {status}"
    if status == 429:
        return Failure("embeddings-over-quota", detail)
    if 400 <= status < 500 and status != 408:
        return Failure("embeddings-refused", detail, is_outage=status not in ABOUT_THE_TEXT)
    return Failure("embeddings-unavailable", detail)
