"""What commands have in common: options, and examples at the end of `--help`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

PROGRAM = "python -m gateway"
TABLES = "gateway.tables"
SETTINGS = "gateway.settings"
DEBUG = "gateway.debug"


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    # `meta` is shared by the contexts of a command and its groups, so that these options may stand before or after.
    if value:
        context.meta[f"gateway.{parameter.name}"] = value


def shared_options() -> list[click.Option]:
    """Options of the program itself and of every command."""
    return [
        click.Option(
            ["--tables"],
            metavar="CONNECTION",
            expose_value=False,
            callback=_remember,
            help="Table Storage: a connection string or the account's URL. Default: the setting GATEWAY_TABLES.",
        ),
        click.Option(
            ["--debug"], is_flag=True, expose_value=False, callback=_remember, help="Show a traceback on failure."
        ),
    ]


class Command(click.Command):
    """A command with the shared options, and with examples that are printed as they are written."""

    def __init__(self, name: str | None, *, examples: Sequence[str], **attributes: Any) -> None:
        super().__init__(name, epilog=epilog(examples), **attributes)
        self.params += shared_options()


def epilog(examples: Sequence[str]) -> str:
    """The examples as click's epilog; its `\\b` keeps the lines from being wrapped."""
    return "\n".join(["\b", "Examples:", *(f"  {PROGRAM} {example}" for example in examples)])


JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for programs.")
YES = click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")
