"""Texts in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cache.answers.telling.pieces import MOST_PIECES, described_pieces, pieces

CUTS = {
    "": [],
    " ": [" "],
    "Hello": ["Hello"],
    "Hello there, world": ["Hello there,", " world"],
    "Hello there, big world": ["Hello there,", " big world"],
    "Donaudampfschifffahrtsgesellschaft": ["Donaudampfsc", "hifffahrtsgesellschaft"],
    "one two three four five six": ["one two three", " four five six"],
    "日本語は、長い文でも空白がないので適当に切られるはずです。": [
        "日本語は、長い文でも空白",
        "がないので適当に切られるはずです。",
    ],
}


@pytest.mark.parametrize("text", CUTS)
def test_texts_are_cut_before_words(text: str) -> None:
    """Unless the words are long, or there are none."""
    assert list(pieces(text)) == CUTS[text]


@given(st.text())
def test_joined_they_are_the_text(text: str) -> None:
    """To the letter, and none is empty."""
    cut = list(pieces(text))
    assert "".join(cut) == text
    assert all(cut)


@pytest.mark.parametrize("text", ["x" * 1_000_000, "word " * 200_000, " " * 1_000_000, "\n日" * 500_000])
def test_a_long_text_has_no_more_pieces_than_that(text: str) -> None:
    """Each piece is an event, with all that goes with one."""
    assert len(list(pieces(text))) <= MOST_PIECES + 1


@given(st.lists(st.text(max_size=8), min_size=1))
def test_each_piece_goes_with_its_tokens(tokens: list[str]) -> None:
    """Every token once, in order, and the tokens of a piece are the piece."""
    text = "".join(tokens)
    cut = described_pieces(text, tokens)
    assert "".join(piece for piece, _ in cut) == text
    assert [token for _, part in cut for token in tokens[part]] == tokens
    if text:
        assert all("".join(tokens[part]) == piece for piece, part in cut)


@pytest.mark.parametrize("tokens", [[], ["other"], [None, "Hi"], [["Hi"]]], ids=repr)
def test_tokens_that_are_not_the_text(tokens: list[object]) -> None:
    """The first piece goes with all of them."""
    cut = described_pieces("Hello there, world", tokens)
    assert [piece for piece, _ in cut] == ["Hello there,", " world"]
    assert [tokens[part] for _, part in cut] == [tokens, []]
