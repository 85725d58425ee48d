"""What commands print: tables for people, one JSON document for programs."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

import click


@dataclass(frozen=True, slots=True)
class Table:
    """Titles and rows of text. A person at a terminal sees it ruled, a pipe gets aligned columns."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    click.echo(json_text(document), nl=False)


def json_text(document: Any) -> str:
    """One JSON document, for people too. A program gets the same escapes as a terminal needs."""
    return json.dumps(document, indent=2) + "\n"


def print_table(table: Table, *, err: bool = False) -> None:
    """The table on stdout, or on stderr beside questions."""
    stream = sys.stderr if err else sys.stdout
    if stream.isatty():
        print_ruled(table, stream)
    else:
        click.echo(aligned(table), err=err)


def print_ruled(table: Table, stream: TextIO) -> None:
    """With rich, in the width of the terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table as RuledTable
    from rich.text import Text

    ruled = RuledTable(*table.titles, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in table.rows:
        ruled.add_row(*(Text(printable(cell), overflow="fold") for cell in row))
    Console(file=stream).print(ruled)


def aligned(table: Table) -> str:
    """Columns with two spaces between, nothing cut off."""
    rows = [table.titles, *([printable(cell) for cell in row] for row in table.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.titles))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines)


def fields_table(document: Mapping[str, Any]) -> Table:
    """One document, a row for each field; those of inner objects as `backend.url`."""
    return Table(("FIELD", "VALUE"), tuple(_fields(document, "")))


def _fields(value: Any, path: str) -> Iterable[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _fields(inner, f"{path}.{name}" if path else name)
    else:
        yield path, cell(value)


def cell(value: Any) -> str:
    """A value as one reads it in a table."""
    match value:
        case None | [] | () | {} | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(cell(item) for item in value)
    return str(value)


def printable(text: str) -> str:
    """Text from elsewhere must not steer the terminal: control characters become `?`, line breaks a space."""
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character in "\n\r\t":
        return " "
    return "?" if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") else character
