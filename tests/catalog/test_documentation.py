"""docs/catalog.md and the models say the same."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from gateway.catalog.backend_settings import BackendSettings
from gateway.catalog.content_safety import ContentSafety
from gateway.catalog.limits import Budget, Price, RateLimit, TokenLimit, TokenMetrics
from gateway.catalog.loading import parse_documents
from gateway.catalog.models import MODELS, Document
from gateway.catalog.semantic_cache import SemanticCache
from gateway.catalog.validation import check_catalog

TEXT = (Path(__file__).parents[2] / "docs" / "catalog.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"^### (.+?)\n.*?```yaml\n(.*?)```", TEXT, flags=re.MULTILINE | re.DOTALL))


WITH_A_TABLE_OF_THEIR_OWN = (
    BackendSettings,
    TokenLimit,
    RateLimit,
    Budget,
    Price,
    TokenMetrics,
    SemanticCache,
    ContentSafety,
)
LIMITS = {
    "tokenLimit": TokenLimit,
    "rateLimit": RateLimit,
    "budget": Budget,
    "prices": Price,
    "tokenMetrics": TokenMetrics,
}


def rows(kind: str) -> dict[str, list[str]]:
    """The table of one kind: the other cells of each row, by field."""
    section = TEXT.split(f"\n## {kind}\n")[1].split("\n## ")[0]
    found = re.findall(r"^\| `([A-Za-z0-9.]+)` \| (.+) \|$", section, flags=re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split(" | ")] for name, cells in found}


def fields_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every field of a model and of those within it, as a path."""
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        yield path
        for inner in models_in(field.annotation):
            if inner not in WITH_A_TABLE_OF_THEIR_OWN:
                yield from fields_of(inner, f"{path}.")


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


@pytest.mark.parametrize("kind", MODELS)
def test_every_field_of_every_kind_is_documented_and_no_other(kind: str) -> None:
    """With its default and its meaning."""
    table = rows(kind)
    assert set(table) == set(fields_of(MODELS[kind]))
    assert all(len(cells) == 2 and all(cells) for cells in table.values())


def test_every_field_of_every_limit_is_documented_and_no_other() -> None:
    """They have a table together, because three kinds have them."""
    fields = {f"{name}.{field}" for name, model in LIMITS.items() for field in fields_of(model)}
    assert set(rows("Limits")) == fields


@pytest.mark.parametrize("name", LIMITS)
def test_simple_defaults_of_limits_are_those_of_the_code(name: str) -> None:
    """Numbers, words and required fields."""
    table = rows("Limits")
    for field in LIMITS[name].model_fields.values():
        documented = table[f"{name}.{field.alias}"][0]
        if field.is_required():
            assert documented == "required"
        elif isinstance(field.default, str | int | float):
            assert documented == f"`{field.default:g}`" if isinstance(field.default, float) else f"`{field.default}`"


def test_every_field_of_the_cache_is_documented_with_its_default_and_no_other() -> None:
    """Numbers, words, lists and truth values, as they would be written in JSON."""
    table = rows("Semantic cache")
    fields = {f"semanticCache.{field}" for field in fields_of(SemanticCache)}
    assert set(table) == fields
    assert all(len(cells) == 2 and all(cells) for cells in table.values())
    for field in SemanticCache.model_fields.values():
        if field.default is not None:
            default = list(field.default) if isinstance(field.default, tuple) else field.default
            assert table[f"semanticCache.{field.alias}"][0] == f"`{json.dumps(default)}`"


@pytest.mark.parametrize("kind", MODELS)
def test_simple_defaults_are_those_of_the_code(kind: str) -> None:
    """Truth values, numbers and required fields."""
    table = rows(kind)
    for name, field in MODELS[kind].model_fields.items():
        documented = table[field.alias or name][0]
        if field.is_required():
            assert documented == "required"
        elif isinstance(field.default, bool):
            assert documented == f"`{str(field.default).lower()}`"
        elif isinstance(field.default, int):
            assert documented == f"`{field.default}`"


def test_the_examples_that_newcomers_need_are_there() -> None:
    """One for each kind of backend people come with."""
    wanted = [
        "OpenAI",
        "Azure OpenAI with a managed identity",
        "A vLLM of your own",
        "Gemini through its OpenAI endpoint",
    ]
    assert list(EXAMPLES)[:5] == [*wanted, "Amazon Bedrock as passthrough"]


@pytest.mark.parametrize("title", EXAMPLES)
def test_each_example_is_a_valid_catalog(title: str) -> None:
    """It can be pasted and applied as it is."""
    assert check_catalog(parse_documents(EXAMPLES[title], "docs/catalog.md")) == []


def test_the_examples_together_are_a_valid_catalog() -> None:
    """None stands in another's way, and every kind appears."""
    documents: list[Document] = [
        document for text in EXAMPLES.values() for document in parse_documents(text, "docs/catalog.md")
    ]
    assert check_catalog(documents) == []
    assert {document.kind for document in documents} == set(MODELS)


def test_every_field_of_content_safety_is_documented_and_no_other() -> None:
    """It has a table of its own, because three kinds have it."""
    assert set(rows("Content safety")) == {f"contentSafety.{field}" for field in fields_of(ContentSafety)}
