"""`{{name}}` and `{{env:NAME}}`."""

import pytest

from gateway.catalog.placeholders import (
    Unresolved,
    check_placeholders,
    named_values_in,
    placeholders,
    resolve,
    setting_in,
)

VALUES = {"key": "k-1", "braces": "{{env:HOME}}"}
ENVIRONMENT = {"TOKEN": "t-1", "EMPTY": " ", "Mixed_Case": "m"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{key}}", "k-1"),
        ("Bearer {{key}}", "Bearer k-1"),
        ("{{ key }}:{{env:TOKEN}}", "k-1:t-1"),
        ("{{key}}{{key}}", "k-1k-1"),
        ("{{env:Mixed_Case}}", "m"),
        ("plain", "plain"),
        ("{{braces}}", "{{env:HOME}}"),
    ],
)
def test_placeholders_are_replaced(text: str, value: str) -> None:
    """Any number of them, with text around; what is put in is not searched again."""
    assert resolve(text, VALUES, ENVIRONMENT) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{other}}", "the named value other is missing or cannot be read"),
        ("{{key}} {{env:NOT_SET}}", "the app setting NOT_SET is not set"),
        ("{{env:EMPTY}}", "the app setting EMPTY is not set"),
    ],
)
def test_one_that_stands_for_nothing_is_named(text: str, message: str) -> None:
    """The message says which, and repeats none of the values."""
    with pytest.raises(Unresolved) as caught:
        resolve(text, VALUES, ENVIRONMENT)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "text", ["{{a b}}", "{{", "x}}", "{{Key}}", "{{env:A-B}}", "{{env:}}", "{{key}", "{{{{key}}}}"]
)
def test_braces_that_are_no_placeholder_are_refused(text: str) -> None:
    """A misspelt placeholder must not be sent to a backend as it is."""
    with pytest.raises(ValueError, match="placeholder that is neither"):
        check_placeholders(text)


def test_what_is_used_can_be_listed() -> None:
    """For checking references, and for telling who uses a named value."""
    text = "{{a}} {{env:B}} {{c}}"
    assert placeholders(text) == ["a", "env:B", "c"]
    assert named_values_in(text) == ["a", "c"]
    assert setting_in("{{env:B}}") == "B"
    assert setting_in("x{{env:B}}") is None
    assert setting_in("{{a}}") is None
