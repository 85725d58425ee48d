"""Stems."""

import pytest

from gateway.cache.guarding.language.stems import stem

ONE_STEM = [
    ("install", "installs", "installed", "installing", "installation"),
    ("translate", "translates", "translated", "translating", "translation"),
    ("cancel", "cancelled", "canceled", "cancelling", "cancellation"),
    ("submit", "submits", "submitted", "submitting", "submission"),
    ("country", "countries"),
    ("box", "boxes"),
    ("child", "children"),
    ("notify", "notifies", "notified", "notifying"),
    ("colour", "color", "colours"),
    ("organise", "organize", "organised", "organisation"),
    ("fast", "faster", "fastest"),
    ("big", "bigger", "biggest"),
    ("easy", "easier", "easiest", "easily"),
    ("buy", "bought", "buying"),
]
TWO_STEMS = [
    ("lock", "unlock"),
    ("print", "printer"),
    ("legal", "illegal"),
    ("employer", "employee"),
    ("station", "state"),
    ("new", "news"),
    ("encode", "decode"),
    ("import", "export"),
]


@pytest.mark.parametrize("forms", ONE_STEM, ids=lambda forms: forms[0])
def test_forms_of_a_word(forms: tuple[str, ...]) -> None:
    """All have its stem."""
    assert len({stem(form) for form in forms}) == 1


@pytest.mark.parametrize(("one", "other"), TWO_STEMS)
def test_other_words(one: str, other: str) -> None:
    """However alike they are."""
    assert stem(one) != stem(other)
