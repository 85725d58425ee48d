"""YAML as plain values."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalog.yaml_text import YamlFault, read_values, write_values

BOMB = "a: &a [x]\n" + "".join(
    f"{chr(97 + level)}: &{chr(97 + level)} [{','.join(['*' + chr(96 + level)] * 9)}]\n" for level in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: no", "no"),
        ("a: On", "On"),
        ("a: 12:30", "12:30"),
        ("a: 2026-01-31", "2026-01-31"),
        ("a: 2026-01-31T08:00:00Z", "2026-01-31T08:00:00Z"),
        ("a: 0x1F", "0x1F"),
        ("a: 1_000", "1_000"),
        ("a: '7'", "7"),
        ("a: true", True),
        ("a: FALSE", False),
        ("a: 7", 7),
        ("a: -7.5", -7.5),
        ("a: 1e3", 1000.0),
        ("a:", None),
        ("a: ~", None),
        ("a: null", None),
        ("a: [x, {b: 1}]", ["x", {"b": 1}]),
        ("a: |\n  one\n  two\n", "one\ntwo\n"),
        ("a: é😀", "é😀"),
        ("\ufeffa: 1", 1),
    ],
)
def test_plain_words_are_read_as_people_mean_them(text: str, value: Any) -> None:
    """YAML 1.2's core schema: dates, times, `no` and `on` are text."""
    assert read_values(text) == [{"a": value}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x 1\nb: *x", 'line 2: aliases ("*x") are not allowed; write it out'),
        (BOMB, 'line 2: aliases ("*a") are not allowed; write it out'),
        ("a: 1\nb:\n  c: 1\n  c: 2", 'line 4: the key "c" is there twice'),
        ("1: x", "line 1: a key must be text; put it in quotes if it is meant"),
        ("true: x", "line 1: a key must be text; put it in quotes if it is meant"),
        ("? [a]\n: x", "line 1: a key must be text; put it in quotes if it is meant"),
        ("a: .nan", "line 1: numbers must be finite"),
        ("a: -.inf", "line 1: numbers must be finite"),
        ("a: 1e999", "line 1: numbers must be finite"),
        ("a: " + "9" * 5_000, "line 1: numbers must be finite"),
        ("a: !!binary aGk=", "line 1: the tag tag:yaml.org,2002:binary is not allowed"),
        ("a: !!python/object/apply:os.system [ls]", "tag:yaml.org,2002:python/object/apply:os.system is not allowed"),
        ("a: !mine {}", "line 1: the tag !mine is not allowed"),
        ("a: !!int x", "line 1: numbers must be finite"),
        ("a: " + "[" * 60 + "]" * 60, "line 1: is nested more than 50 levels deep"),
        ("[" * 100_000, "line 1: is nested more than 50 levels deep"),
        ("a:\n  - b\n c", "is not valid YAML"),
        ("a: [", "line 2: is not valid YAML: did not find expected node content"),
        ("a: \x07", "is not valid YAML"),
        ('{"a": 1, "a": 2}', 'has the key "a" twice'),
        ('{"a": ' + "1" * 5_000 + "}", "line 1: numbers must be finite"),
        ("a: " + "x" * 16 * 1024 * 1024, "is larger than 16 MiB; split it into several files"),
    ],
)
def test_what_is_refused_says_where_and_why(text: str, message: str) -> None:
    """Each hazard of YAML, with the line."""
    with pytest.raises(YamlFault) as caught:
        read_values(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_several_documents_and_empty_ones() -> None:
    """What stands between two lines `---` may be nothing."""
    assert read_values("---\na: 1\n---\n---\n# nothing\n---\nb: 2\n...\n") == [{"a": 1}, {"b": 2}]
    assert read_values("") == []


def test_json_is_read_with_its_own_escapes() -> None:
    """YAML has no escapes of two halves for one character."""
    assert read_values(json.dumps({"a": "😀\u2028"}, indent="\t")) == [{"a": "😀\u2028"}]
    assert read_values('{a: 1, b: "x"}') == [{"a": 1, "b": "x"}]


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\n\t"))
    | st.sampled_from(
        ["no", "1e5", "08", "1:30", "~", "", "2026-01-01", ".5", "+1", "null", "0x1", "<<", "=", "-", "1."]
    )
)
VALUES = st.dictionaries(st.text("abcxyzKN019.-", min_size=1), SCALARS | st.lists(SCALARS, max_size=3), max_size=5)


@given(st.lists(VALUES, max_size=3))
def test_what_is_written_is_read_back(values: list[dict[str, Any]]) -> None:
    """Whatever the text looks like: what could be taken for a number is put into quotes."""
    assert read_values(write_values(values)) == values


@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"#%@`,? \n\t01.~<=\\")))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No other exception, whatever the text."""
    with contextlib.suppress(YamlFault):
        read_values(text)
