"""The tokenizer."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies

from local.model.tokens import count_tokens, tokens_of


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("one", 1), ("one two", 2), ("Hello, world!", 4), ("größer 日本語", 2), ("end ", 2)]
)
def test_counts(text: str, count: int) -> None:
    """A token is a word or one other character, with the space before it."""
    assert count_tokens(text) == count


@given(strategies.text(), strategies.integers(0, 10))
def test_cutting_between_tokens_changes_no_count(text: str, kept: int) -> None:
    """Tokens put together give the text, and the first few of them count as that many."""
    tokens = tokens_of(text)
    assert "".join(tokens) == text
    assert tokens_of("".join(tokens[:kept])) == tokens[:kept]
