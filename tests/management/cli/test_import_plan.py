"""What an import makes of its answers."""

from dataclasses import replace

import pytest

from gateway.errors import CatalogError
from gateway.management.cli.import_plan import Answers, Known, make_plan, name_from, split_key

ANSWERS = Answers(
    name="llm",
    display_name="LLM",
    description="",
    url="https://model.example/v1",
    products=(),
    path="llm",
    type="openai",
    key_header="Authorization",
    key_value="",
)
NOTHING = Known((), (), ())


@pytest.mark.parametrize(
    ("display_name", "name"),
    [
        ("OpenAI", "openai"),
        ("My LLM (EU)", "my-llm-eu"),
        ("  Übergröße 2  ", "ubergroe-2"),
        ("Модель", ""),
        ("a" * 100, "a" * 76),
    ],
)
def test_a_name_is_made_from_the_display_name(display_name: str, name: str) -> None:
    """Lower-case letters and digits with hyphens between, short enough for the named value's suffix."""
    assert name_from(display_name) == name


@pytest.mark.parametrize(
    ("value", "credential", "secret"),
    [
        ("Bearer sk-1", "Bearer {{llm-key}}", "sk-1"),
        ("Basic  dTpw", "Basic  {{llm-key}}", "dTpw"),
        ("sk-1", "{{llm-key}}", "sk-1"),
        ("two words here", "{{llm-key}}", "two words here"),
        ("Bearer {{env:KEY}}", "Bearer {{env:KEY}}", ""),
        ("{{shared}}", "{{shared}}", ""),
        ("", "", ""),
    ],
)
def test_only_the_secret_part_of_a_key_is_taken_out(value: str, credential: str, secret: str) -> None:
    """The scheme stays readable; what names its secret stays as it is."""
    assert split_key(replace(ANSWERS, key_value=value)) == (credential, secret)


def test_the_review_shows_no_secret() -> None:
    """Neither do the objects when they are printed."""
    answers = replace(ANSWERS, key_value="Bearer sk-very-secret", products=("new",))
    plan = make_plan(answers, NOTHING, create_products=True)
    assert [row[0] for row in plan.rows()] == ["Product", "NamedValue", "Backend", "Api"]
    assert "sk-very-secret" not in f"{plan.rows()} {plan} {answers}"
    assert "sk-very-secret" in str(plan.named_value.to_json() if plan.named_value else "")


def test_a_secret_that_cannot_be_sent_is_refused_without_being_shown() -> None:
    """A line break would end the header."""
    with pytest.raises(CatalogError) as refused:
        make_plan(replace(ANSWERS, key_value="sk-very\nsecret"), NOTHING, create_products=False)
    assert "sk-very" not in str(refused.value)
    assert "NamedValue llm-key: value: must not contain line breaks" in str(refused.value)


def test_a_product_named_twice_is_created_once() -> None:
    """And the Api names it once."""
    plan = make_plan(replace(ANSWERS, products=("a", "a")), NOTHING, create_products=True)
    assert [product.name for product in plan.new_products] == ["a"]
    assert plan.api.products == ("a",)
