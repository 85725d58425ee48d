"""Numbers and units of measure, each in one spelling: `1,000`, `1k` and `one thousand`; `kg` and `kilograms`."""

from __future__ import annotations

import re
from functools import cache

from gateway.cache.guarding.language.lists import lines

NAMES = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen
"""
NAMES_OF_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
NAMES_IN_ORDER = """
    first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth
    sixteenth seventeenth eighteenth nineteenth twentieth
"""
SMALL = {word: value for value, word in enumerate(NAMES.split())}
TENS = {word: 10 * value for value, word in enumerate(NAMES_OF_TENS.split(), start=2)}
SCALES = {"hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
ORDINALS = {word: value for value, word in enumerate(NAMES_IN_ORDER.split(), start=1)}
ORDINALS |= {"thirtieth": 30, "hundredth": 100, "thousandth": 1000}
TIMES = {"once": 1, "twice": 2, "thrice": 3, "dozen": 12, "couple": 2, "half": 0.5}
CARDINALS = SMALL | TENS | SCALES
# What follows a number at once: 1st, 300k.
ORDINAL_ENDINGS = frozenset({"st", "nd", "rd", "th"})
SUFFIXES = {"k": 1_000, "mn": 10**6, "mio": 10**6, "bn": 10**9}
ROMAN = re.compile(r"(?=[IVX]{2,}$|[VX]$)(X{0,3})(IX|IV|V?I{0,3})$")
ROMAN_DIGITS = {"I": 1, "V": 5, "X": 10}

# Also words: these mean units only after a number.
AMBIGUOUS = frozenset({"sec", "min", "bar", "won", "gal"})


@cache
def units() -> dict[str, str]:
    """Every name of a unit, with the one that it is read as."""
    return {name: names.split()[0] for names in lines("units") for name in names.split()}


def needs_number(name: str) -> bool:
    """Whether a name means a unit only after a number."""
    return len(name) <= 2 or name in AMBIGUOUS


def spelled(digits: str) -> str:
    """`1,000` as 1000; decimals and versions as they are, because 3.1 is not 3.10."""
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", digits):
        digits = digits.replace(",", "")
    elif re.fullmatch(r"\d+,\d{1,2}", digits):
        digits = digits.replace(",", ".")
    return digits.lstrip("0") or "0" if digits.isdigit() else digits


def multiplied(digits: str, factor: float) -> str:
    """`2.5` by 1000 as 2500. What is no plain number stays, with its factor."""
    try:
        value = float(digits) * factor
    except ValueError:
        return f"{digits}*{factor:g}"
    return f"{value:.12g}"


def roman(word: str) -> int | None:
    """The value of a Roman numeral in capitals, II to XXXIX; I alone is a pronoun, and C a language."""
    if not ROMAN.fullmatch(word):
        return None
    values = [ROMAN_DIGITS[letter] for letter in word]
    return sum(-value if value < after else value for value, after in zip(values, [*values[1:], 0], strict=True))


def counted(words: list[str]) -> tuple[float, int]:
    """The value of the number that these words begin with, and how many of them it takes: `two hundred and five`."""
    total, group, used = 0, 0, 0
    for position, word in enumerate(words):
        if word in SMALL or word in TENS:
            before = words[position - 1] if position else ""
            if before in SMALL or (before in TENS and not 0 < SMALL.get(word, 0) < 10):
                break
            group += SMALL.get(word, 0) + TENS.get(word, 0)
        elif word == "hundred":
            group = max(group, 1) * 100
        elif word in SCALES:
            total, group = total + max(group, 1) * SCALES[word], 0
        elif word == "and" and position and words[position - 1] in SCALES and _goes_on(words, position + 1):
            continue
        elif word in ORDINALS and position and words[position - 1] in TENS and ORDINALS[word] < 10:
            return total + group + ORDINALS[word], position + 1
        else:
            break
        used = position + 1
    return total + group, used


def _goes_on(words: list[str], position: int) -> bool:
    return position < len(words) and (words[position] in SMALL or words[position] in TENS)
