"""Asks for what an import needs and no option gave. A wrong answer is asked for again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast, get_args

import click

from gateway.catalog.fields import check_header_name, check_name, check_path, check_secret_text, check_url
from gateway.management.cli.import_plan import Answers, ApiType, Known, name_from


def ask(given: dict[str, str | None], products: Sequence[str] | None, known: Known) -> Answers:
    """The answers, in the order of API Management's form."""

    def text(field: str, question: str, check: Callable[[str], str], default: str | None = None) -> str:
        found = given[field]
        return found if found is not None else _question(question, check, default)

    display_name = text("display_name", "Display name", _required)
    name = given["name"] or _name(display_name)
    description = text("description", "Description (optional)", str, "")
    url = text("url", "URL of the backend, such as https://api.openai.com/v1", check_url)
    chosen = products if products is not None else _products(known)
    path = text("path", "Path of the API below the gateway's address", check_path, name)
    kind = given["api_type"] or click.prompt("Type", type=click.Choice(get_args(ApiType)), default="openai", err=True)
    header = text("key_header", "Header of the backend's access key (empty: none)", _header, "")
    value = given["key_value"] or (_secret(header) if header else "")
    return Answers(name, display_name, description, url, tuple(chosen), path, cast(ApiType, kind), header, value)


def _question(question: str, check: Callable[[str], str], default: str | None) -> str:
    answer: str = click.prompt(
        question, default=default, show_default=bool(default), value_proc=lambda text: _checked(text, check), err=True
    )
    return answer


def _checked(text: str, check: Callable[[str], str]) -> str:
    try:
        return check(text.strip())
    except ValueError as error:
        raise click.UsageError(f"This {error}.") from error


def _required(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


def _name(display_name: str) -> str:
    suggested = name_from(display_name)
    return suggested or _question("Name (lower-case letters, digits, hyphens)", check_name, None)


def _header(text: str) -> str:
    return check_header_name(text) if text else ""


def _products(known: Known) -> tuple[str, ...]:
    there = f" ({', '.join(known.products)})" if known.products else ""
    return split_names(_question(f"Products{there}, separated by commas (optional)", str, ""))


def _secret(header: str) -> str:
    question = f"Value of {header}, with Bearer before the key if the backend asks for that (hidden)"
    answer: str = click.prompt(
        question, hide_input=True, value_proc=lambda text: _checked(text, check_secret_text), err=True
    )
    return answer


def split_names(text: str) -> tuple[str, ...]:
    """Names between commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
