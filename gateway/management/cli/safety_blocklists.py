"""`safety blocklists list`, `create`, `add`, `remove` and `delete`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import click

from gateway.management.blocklists import Blocklists, Item, connected
from gateway.management.cli.options import JSON, Command, epilog
from gateway.management.cli.output import Table, print_json, print_table
from gateway.management.cli.session import current_settings, run_on_tables, service_on
from gateway.management.screenings import service_of
from gateway.storage.tables import Tables

API = click.option("--api", metavar="NAME", help="The service that screens this API.")
BACKEND = click.option("--backend", metavar="NAME", help="The service behind this Backend; --api can do without.")
TEXTS = click.argument("texts", nargs=-1, required=True, metavar="TEXT...")
NAME = click.argument("name")


@click.group(epilog=epilog(["safety blocklists list --api openai"]))
def blocklists() -> None:
    """See and change blocklists. They are kept by the service, not by the gateway."""


@blocklists.command(
    "list",
    cls=Command,
    examples=[
        "safety blocklists list --api openai",
        "safety blocklists list --backend safety",
        "safety blocklists list brand-names --api openai --json",
    ],
)
@click.argument("name", required=False)
@API
@BACKEND
@JSON
def list_blocklists(name: str | None, api: str | None, backend: str | None, as_json: bool) -> None:
    """Show the service's blocklists; with NAME, the items of one."""
    if name is not None:
        _show_items(run_on(api, backend, lambda lists: lists.items(name)), as_json=as_json)
        return
    found = run_on(api, backend, lambda lists: lists.all())
    if as_json:
        print_json([{"name": one.name, "description": one.description} for one in found])
    elif found:
        print_table(Table(("NAME", "DESCRIPTION"), tuple((one.name, one.description or "-") for one in found)))
    else:
        click.echo("There are no blocklists.", err=True)


@blocklists.command(
    cls=Command,
    examples=[
        "safety blocklists create brand-names --api openai",
        'safety blocklists create brand-names --api openai --description "Names of others"',
    ],
)
@NAME
@API
@BACKEND
@click.option("--description", help="What the list is for.")
@JSON
def create(name: str, api: str | None, backend: str | None, description: str | None, as_json: bool) -> None:
    """Make a blocklist; one that is there already keeps its items."""
    run_on(api, backend, lambda lists: lists.create(name, description))
    _say(f"Blocklist {name} is there.", {"name": name, "description": description}, as_json=as_json)


@blocklists.command(
    cls=Command,
    examples=[
        "safety blocklists add brand-names Contoso Fabrikam --api openai",
        'safety blocklists add brand-names "Adventure Works" --api openai --json',
    ],
)
@NAME
@TEXTS
@API
@BACKEND
@JSON
def add(name: str, texts: tuple[str, ...], api: str | None, backend: str | None, as_json: bool) -> None:
    """Put texts on a blocklist, each of at most 128 characters. The service needs up to five minutes to use them."""
    added = run_on(api, backend, lambda lists: lists.add(name, texts))
    _say(f"{_items(len(added))} on {name}.", [_fields(item) for item in added], as_json=as_json)


@blocklists.command(
    cls=Command,
    examples=[
        "safety blocklists remove brand-names Contoso --api openai",
        "safety blocklists remove brand-names Contoso --api openai --json",
    ],
)
@NAME
@TEXTS
@API
@BACKEND
@JSON
def remove(name: str, texts: tuple[str, ...], api: str | None, backend: str | None, as_json: bool) -> None:
    """Take texts off a blocklist; the ids of items will do too."""
    removed = run_on(api, backend, lambda lists: lists.remove(name, texts))
    _say(f"{_items(len(removed))} off {name}.", [_fields(item) for item in removed], as_json=as_json)


@blocklists.command(
    cls=Command,
    examples=[
        "safety blocklists delete brand-names --api openai",
        "safety blocklists delete brand-names --api openai --yes",
    ],
)
@NAME
@API
@BACKEND
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON
def delete(name: str, api: str | None, backend: str | None, yes: bool, as_json: bool) -> None:
    """Delete a blocklist with its items. For policies that name it the service then fails, see onError."""
    if not yes:
        click.confirm(f"Delete blocklist {name}?", abort=True, err=True)
    run_on(api, backend, lambda lists: lists.delete(name))
    _say(f"Blocklist {name} is deleted.", {"deleted": name}, as_json=as_json)


def run_on[Result](api: str | None, backend: str | None, work: Callable[[Blocklists], Awaitable[Result]]) -> Result:
    """Do `work` on the blocklists of a service."""
    if api is None and backend is None:
        raise click.UsageError("Missing option '--api' or '--backend': which service?")
    return run_on_tables(lambda tables: _worked(tables, api, backend, work))


async def _worked[Result](
    tables: Tables, api: str | None, backend: str | None, work: Callable[[Blocklists], Awaitable[Result]]
) -> Result:
    settings, _ = current_settings()
    snapshot, _ = await service_on(tables).preview([])
    async with connected(service_of(snapshot, api, backend), settings.azure_client_id) as lists:
        return await work(lists)


def _show_items(found: list[Item], *, as_json: bool) -> None:
    if as_json:
        print_json([_fields(item) for item in found])
    elif found:
        print_table(Table(("ID", "TEXT"), tuple((item.id, item.text) for item in found)))
    else:
        click.echo("The blocklist is empty.", err=True)


def _items(count: int) -> str:
    return "1 text is" if count == 1 else f"{count} texts are"


def _fields(item: Item) -> dict[str, Any]:
    return {"id": item.id, "text": item.text}


def _say(sentence: str, document: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(document)
    else:
        click.echo(sentence)
