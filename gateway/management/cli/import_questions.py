"""Asks for what an import needs and no option gave. Each answer is judged when it is given, and asked for again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast, get_args

import click

from gateway.catalog.fields import check_header_name, check_line, check_lines, check_name, check_url
from gateway.errors import CatalogError
from gateway.management.cli.import_plan import Answers, ApiType, Known, missing_products, name_from

Check = Callable[[str], str]


def ask(
    given: Mapping[str, str | None], products: Sequence[str] | None, known: Known, *, create_products: bool
) -> Answers:
    """The answers, in the order of API Management's form. Options are judged before the first question.

    Products that do not exist are only in the answers if they may be created.
    """
    checks = _checks(known)
    for field, check in checks.items():
        _judge_option(field, given[field], check)
    if products is not None:
        _judge_products(products, known, create_products)

    def text(field: str, question: str, default: str | None = None) -> str:
        found = given[field]
        return found if found is not None else _question(question, checks[field], default)

    display_name = text("display_name", "Display name")
    name = given["name"] or _name(display_name, known)
    _judge_option("key_value", given["key_value"], lambda value: known.check_key(value, name))
    description = text("description", "Description (optional)", "")
    url = text("url", "URL of the backend, such as https://api.openai.com/v1")
    chosen = products if products is not None else _products(known, create_products)
    # The name itself may be somebody's path; then there is no default.
    path = text("path", "Path of the API below the gateway's address", None if name in known.paths else name)
    kind = given["api_type"] or click.prompt("Type", type=click.Choice(get_args(ApiType)), default="openai", err=True)
    header = text("key_header", "Header of the backend's access key (empty: none)", "")
    value = given["key_value"] or (_secret(header, lambda answer: known.check_key(answer, name)) if header else "")
    return Answers(name, display_name, description, url, tuple(chosen), path, cast(ApiType, kind), header, value)


def _checks(known: Known) -> Mapping[str, Check]:
    """What refuses a wrong answer, by the option that could have given it."""
    return {
        "display_name": _title,
        "name": known.check_name,
        "description": check_lines,
        "url": check_url,
        "path": known.check_path,
        "key_header": _header,
    }


def _judge_option(field: str, given: str | None, check: Check) -> None:
    if not given:
        return
    try:
        check(given)
    except ValueError as error:
        raise click.UsageError(f"--{field.replace('_', '-')} {error}.") from error


def _judge_products(products: Sequence[str], known: Known, create_products: bool) -> None:
    for name in products:
        _judge_option("product", name, check_name)
    if not _may_create(products, known, create_products):
        raise CatalogError(missing_products(products, known))


def _question(question: str, check: Check, default: str | None) -> str:
    answer: str = click.prompt(
        question, default=default, show_default=bool(default), value_proc=lambda text: _checked(text, check), err=True
    )
    return answer


def _checked(text: str, check: Check) -> str:
    try:
        return check(text.strip())
    except ValueError as error:
        raise click.UsageError(f"This {error}.") from error


def _title(text: str) -> str:
    if not 0 < len(text) <= 300:
        raise ValueError("must be 1 to 300 characters long")
    return check_line(text)


def _name(display_name: str, known: Known) -> str:
    suggested = name_from(display_name)
    if suggested and suggested not in known.apis:
        return suggested
    if suggested:
        click.echo(f"There is an Api {suggested} already.", err=True)
    return _question("Name (lower-case letters, digits, hyphens)", known.check_name, None)


def _header(text: str) -> str:
    return check_header_name(text) if text else ""


def _products(known: Known, create_products: bool) -> tuple[str, ...]:
    there = f" ({', '.join(known.products)})" if known.products else ""
    while True:
        names = split_names(_question(f"Products{there}, separated by commas (optional)", _check_names, ""))
        if _may_create(names, known, create_products):
            return names


def _check_names(text: str) -> str:
    for name in split_names(text):
        try:
            check_name(name)
        except ValueError as error:
            raise ValueError(f'has the name "{name}", which {error}') from error
    return text


def _may_create(products: Sequence[str], known: Known, create_products: bool) -> bool:
    missing = ", ".join(name for name in products if name not in known.products)
    if not missing or create_products:
        return True
    return click.confirm(f"Not there yet: {missing}. Create?", default=True, err=True)


def _secret(header: str, check: Check) -> str:
    question = f"Value of {header}, with Bearer before the key if the backend asks for that (hidden)"
    answer: str = click.prompt(question, hide_input=True, value_proc=lambda text: _checked(text, check), err=True)
    return answer


def split_names(text: str) -> tuple[str, ...]:
    """Names between commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
