"""Exceptions become sentences on stderr and exit codes, here and nowhere else.

0  done
1  refused or failed: documents are wrong, still in use, not found, the backend does not answer
2  the command line or the settings are wrong
3  Table Storage cannot be reached or refuses us
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Sequence
from typing import IO, Any

import click

from gateway.errors import CatalogError, ConfigurationError, StorageUnavailable
from gateway.management.cli.options import DEBUG
from gateway.management.cli.output import printable

REFUSED = 1
WRONG_USE = 2
NO_STORAGE = 3

STORAGE_REMEDY = (
    "Check GATEWAY_TABLES or --tables and the network. With an account's URL, whoever is signed in with `az login` "
    'or `azd auth login` needs the role "Storage Table Data Contributor". '
    "The tables of `make run` are there while it runs."
)
TABLES_REMEDY = "Or give --tables, or run this in the folder of a local.settings.json."


class Refused(click.ClickException):
    """A command cannot do what was asked, for a reason that no deeper layer knows. Exits with 1."""

    exit_code = REFUSED

    def show(self, file: IO[Any] | None = None) -> None:
        """The sentence alone, as the other failures are told."""
        click.echo(printable(self.message), file=file, err=True)


class RootGroup(click.Group):
    """The outermost group: what its commands raise ends here."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command; say what went wrong in sentences, with a traceback only if `--debug` asks for it."""
        try:
            return super().invoke(context)
        except (click.ClickException, click.exceptions.Exit, click.Abort, EOFError, KeyboardInterrupt):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise
            if context.meta.get(DEBUG):
                click.echo(traceback.format_exc(), err=True, nl=False)
            code, lines = explain(error)
        for line in lines:
            click.echo(printable(line), err=True)
        return context.exit(code)


def explain(error: Exception) -> tuple[int, Sequence[str]]:
    """The exit code and the lines for stderr."""
    match error:
        case CatalogError():
            return REFUSED, [str(fault) for fault in error.faults]
        case ConfigurationError():
            remedy = [TABLES_REMEDY] if any(fault.startswith("GATEWAY_TABLES:") for fault in error.faults) else []
            return WRONG_USE, [*error.faults, *remedy]
        case StorageUnavailable():
            return NO_STORAGE, [str(error), STORAGE_REMEDY]
        case OSError():
            return REFUSED, [f"{error.filename or 'A file'}: {error.strerror or type(error).__name__}"]
    # The message of an unforeseen error may hold anything, secrets included.
    return REFUSED, [f"The command failed in a way nobody foresaw ({type(error).__name__}); --debug shows where."]
