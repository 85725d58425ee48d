"""Numbers and units."""

import pytest

from gateway.cache.guarding.language.numbers import counted, multiplied, roman, spelled, units


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("twelve months", (12, 1)),
        ("twenty five men", (25, 2)),
        ("two hundred and five", (205, 4)),
        ("three million two hundred thousand", (3_200_000, 5)),
        ("thirty first", (31, 2)),
        ("two five", (2, 1)),
        ("months", (0, 0)),
    ],
)
def test_number_words(words: str, expected: tuple[float, int]) -> None:
    """The value, and how many words it took."""
    assert counted(words.split()) == expected


@pytest.mark.parametrize(
    ("digits", "expected"),
    [("1,000", "1000"), ("1,234,567.5", "1234567.5"), ("007", "7"), ("0", "0"), ("3.10", "3.10"), ("2,5", "2.5")],
)
def test_digits(digits: str, expected: str) -> None:
    """Thousands are joined; versions stay as they are."""
    assert spelled(digits) == expected


def test_multiples() -> None:
    """2.5k is 2500."""
    assert multiplied("2.5", 1_000) == "2500"
    assert multiplied("1.2.3", 1_000) == "1.2.3*1000"


@pytest.mark.parametrize(
    ("word", "expected"), [("IV", 4), ("VI", 6), ("XIX", 19), ("I", None), ("CV", None), ("iv", None)]
)
def test_roman_numerals(word: str, expected: int | None) -> None:
    """Only in capitals, and none that is a word or a letter."""
    assert roman(word) == expected


def test_units() -> None:
    """One name for each; what differs by a thousand differs."""
    assert units()["kg"] == units()["kilogram"]
    assert len({units()[name] for name in ("mg", "mcg", "g", "kg", "mb", "mbit", "gb", "°c", "°f")}) == 9
