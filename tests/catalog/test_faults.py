"""pydantic's findings in peoples' words; `test_loading.py` has those of whole documents."""

from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from gateway.catalog.faults import did_you_mean, faults_of
from gateway.catalog.models import Model


class Sample(Model):
    """Fields with constraints that no document has yet."""

    at_most: Annotated[int, Field(lt=3)] = 0
    inner: tuple[int, ...] = ()


@pytest.mark.parametrize(
    ("word", "known", "sentence"),
    [
        ("maxRequestByte", ["maxRequestBytes", "name"], '; did you mean "maxRequestBytes"?'),
        ("MAX_REQUEST_BYTES", ["maxRequestBytes", "name"], '; did you mean "maxRequestBytes"?'),
        ("zzz", ["a", "b", "c"], "; it may be a, b or c"),
        ("zzz", ["a"], "; it may be a"),
        ("zzz", [f"field{number}" for number in range(9)], ""),
    ],
)
def test_an_unknown_word_comes_with_the_likely_one(word: str, known: list[str], sentence: str) -> None:
    """Or with all of them, if they are few."""
    assert did_you_mean(word, known) == sentence


def test_a_finding_without_a_sentence_of_its_own_is_still_told() -> None:
    """Whoever adds a constraint and forgets its sentence loses nothing but beauty."""
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate({"atMost": 5, "inner": (1, "x")})
    assert [str(fault) for fault in faults_of(caught.value, Sample, "sample")] == [
        "sample: atMost: input should be less than 3",
        "sample: inner[1]: must be a whole number",
    ]
