"""Cutting texts to what the service takes."""

from itertools import pairwise

from gateway.safety.pieces import LONGEST_PIECE, OVERLAP, cut, pack


def test_a_megabyte_is_cut_without_losing_anything() -> None:
    """Each piece begins with the end of the one before."""
    text = " ".join(f"Sentence number {number} is here." for number in range(40_000))
    pieces = cut(text)
    assert max(map(len, pieces)) <= LONGEST_PIECE
    joined = pieces[0]
    for before, piece in pairwise(pieces):
        assert piece.startswith(before[-OVERLAP:])
        joined += piece[OVERLAP:]
    assert joined == text


def test_cuts_are_at_the_ends_of_sentences() -> None:
    """So that the service sees whole ones."""
    assert all(piece.endswith(". ") for piece in cut("Some words here. " * 2_000)[:-1])


def test_what_stands_at_a_seam_is_whole_in_one_of_the_pieces() -> None:
    """Even in a text without a single space, wherever it stands."""
    for place in range(LONGEST_PIECE - OVERLAP, LONGEST_PIECE + OVERLAP, 7):
        text = "x" * place + "massacre" + "x" * LONGEST_PIECE
        assert any("massacre" in piece for piece in cut(text))


def test_nothing_and_white_space_are_no_pieces() -> None:
    """The service refuses them."""
    assert not cut("")
    assert not cut(" \n\t")


def test_documents_are_packed_by_five_and_ten_thousand_characters() -> None:
    """In their order."""
    assert [len(each) for each in pack(["a"] * 12)] == [5, 5, 2]
    assert [len(each) for each in pack(["a" * 6_000, "b" * 5_000, "c" * 5_000])] == [1, 2]
