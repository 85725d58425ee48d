"""`apply`, `check` and `export`: the catalog as files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from gateway.catalog.loading import dump_documents
from gateway.catalog.remarks import remarks
from gateway.catalog.validation import check_catalog
from gateway.errors import CatalogError, Fault
from gateway.management.cli.failures import REFUSED
from gateway.management.cli.keys import keys_json, print_keys
from gateway.management.cli.options import JSON, Command
from gateway.management.cli.output import Table, json_text, print_json, print_table, printable
from gateway.management.cli.session import run, surroundings
from gateway.management.cli.sources import read_documents
from gateway.management.service import ApplyResult

FILES = click.option(
    "--file",
    "-f",
    "files",
    multiple=True,
    required=True,
    metavar="FILE_OR_DIR",
    help="YAML or JSON; a folder stands for all such files in it, - for standard input. May be given several times.",
)
# What a shell makes of `-f apis/*.yaml`.
MORE_FILES = click.argument("more_files", nargs=-1, metavar="[FILE_OR_DIR]...")


@click.command(cls=Command, examples=["apply -f apis/", "apply -f api.yaml -f other.yaml", "apply -f - < api.yaml"])
@FILES
@MORE_FILES
@JSON
def apply(files: tuple[str, ...], more_files: tuple[str, ...], as_json: bool) -> None:
    """Create or change the documents in files.

    The catalog is validated as it would be afterwards, and nothing is written if anything is wrong. What is not in the
    files stays as it is. New subscriptions get their keys, which are shown only now. What is allowed but worth a second
    look is said, as by `check`.
    """
    documents = read_documents((*files, *more_files), surroundings().directory)
    result = run(lambda service: service.apply(documents))
    _print_remarks(remarks(documents))
    if as_json:
        print_json(result_json(result))
        return
    print_result(result)


@click.command(cls=Command, examples=["check -f apis/", "check -f catalog.yaml --offline", "check -f api.yaml --json"])
@FILES
@MORE_FILES
@click.option(
    "--offline",
    is_flag=True,
    help="Do not ask storage: judge the files as the whole catalog, with all that they refer to, as an export is.",
)
@JSON
def check(files: tuple[str, ...], more_files: tuple[str, ...], offline: bool, as_json: bool) -> None:
    """Validate files, without writing anything.

    They are judged together with the stored catalog, as it would be after `apply`. What is allowed but worth a second
    look is said too, and changes nothing of the outcome."""
    faults, noted = _judge((*files, *more_files), offline)
    if as_json:
        print_json({"valid": not faults, "faults": _faults_json(faults), "remarks": _faults_json(noted)})
        click.get_current_context().exit(REFUSED if faults else 0)
    _print_remarks(noted)
    if faults:
        raise CatalogError(faults)
    click.echo("Nothing is wrong.")


def _judge(sources: Sequence[str], offline: bool) -> tuple[Sequence[Fault], Sequence[Fault]]:
    """The faults, and what is to be remarked."""
    try:
        documents = read_documents(sources, surroundings().directory)
    except CatalogError as error:
        return error.faults, ()
    faults = check_catalog(documents) if offline else run(lambda service: service.check(documents))
    return faults, remarks(documents)


def _print_remarks(noted: Sequence[Fault]) -> None:
    for remark in noted:
        click.echo(printable(f"Mind: {remark}"), err=True)


def _faults_json(faults: Sequence[Fault]) -> list[dict[str, str]]:
    return [{"where": fault.where, "problem": fault.problem} for fault in faults]


@click.command(cls=Command, examples=["export", "export --output catalog.yaml", "export --json"])
@click.option("--output", "-o", metavar="FILE", help="Write to this file instead of standard output.")
@JSON
def export(output: str | None, as_json: bool) -> None:
    """Print the whole catalog as YAML.

    `apply` reads it back.

    Secrets are never in it: a named value comes without its value, a subscription without its keys. With --json it is
    a list of documents.
    """
    documents = run(lambda service: service.export())
    text = json_text([document.to_json() for document in documents]) if as_json else dump_documents(documents)
    if output:
        (surroundings().directory / output).write_text(text, encoding="utf-8")
        click.echo(f"{len(documents)} documents were written to {output}.", err=True)
    else:
        click.echo(text, nl=False)


def result_json(result: ApplyResult) -> dict[str, Any]:
    """What `apply` did, for programs."""
    keys = {name: keys_json(issued) for name, issued in result.keys.items()}
    return {
        "revision": result.revision,
        "created": list(result.created),
        "updated": list(result.updated),
        "unchanged": list(result.unchanged),
        "keys": keys,
    }


def print_result(result: ApplyResult) -> None:
    """What `apply` did, for people."""
    rows = [
        (what, name)
        for what, names in (("created", result.created), ("updated", result.updated), ("unchanged", result.unchanged))
        for name in names
    ]
    print_table(Table(("RESULT", "DOCUMENT"), tuple(rows)))
    if result.keys:
        print_keys(result.keys)
