"""`list`, `show` and `delete` for each kind of document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import click

from gateway.catalog.backend_settings import BackendSettings
from gateway.catalog.fields import write_moment
from gateway.catalog.models import Api, Backend, Document, Kind, NamedValue, Product, Subscription
from gateway.catalog.placeholders import setting_in
from gateway.errors import CatalogError
from gateway.management.cli.failures import Refused
from gateway.management.cli.options import JSON, YES, Command, epilog
from gateway.management.cli.output import Table, cell, fields_table, print_json, print_table, printable
from gateway.management.cli.session import run, surroundings
from gateway.management.service import DocumentNotFound


@dataclass(frozen=True, slots=True)
class KindGroup[Model: Document]:
    """How one kind appears on the command line. `columns` are those of `list`, in the order of their titles."""

    kind: Kind
    name: str
    plural: str
    example: str
    titles: tuple[str, ...]
    columns: Callable[[Model], tuple[Any, ...]]

    def build(self) -> click.Group:
        """The group with its three commands."""
        examples = [f"{self.name} list", f"{self.name} show {self.example}", f"{self.name} delete {self.example}"]
        group = click.Group(self.name, help=f"List, show and delete {self.plural}.", epilog=epilog(examples))
        group.add_command(self._list())
        group.add_command(self._show())
        group.add_command(self._delete())
        return group

    def _list(self) -> click.Command:
        @click.command(
            "list",
            cls=Command,
            help=f"List all {self.plural}.",
            examples=[f"{self.name} list", f"{self.name} list --json"],
        )
        @JSON
        def list_all(as_json: bool) -> None:
            documents = run(lambda service: service.list(self.kind))
            if as_json:
                print_json([document.to_json() for document in documents])
            elif documents:
                rows = (tuple(cell(value) for value in self.columns(cast(Model, document))) for document in documents)
                print_table(Table(self.titles, tuple(rows)))
            else:
                click.echo(f"There are no {self.plural}.", err=True)

        return list_all

    def _show(self) -> click.Command:
        @click.command(
            "show",
            cls=Command,
            help=f"Show one {self.kind} as it is stored, without secrets.",
            examples=[f"{self.name} show {self.example}", f"{self.name} show {self.example} --json"],
        )
        @click.argument("name")
        @JSON
        def show(name: str, as_json: bool) -> None:
            print_document(run(lambda service: service.show(self.kind, name)).to_json(), as_json)

        return show

    def _delete(self) -> click.Command:
        @click.command(
            "delete",
            cls=Command,
            help=f"Delete one {self.kind}. What is still used is not deleted; the users are listed.",
            examples=[f"{self.name} delete {self.example}", f"{self.name} delete {self.example} --yes"],
        )
        @click.argument("name")
        @YES
        @JSON
        def delete(name: str, yes: bool, as_json: bool) -> None:
            if not yes:
                confirm_delete(self.kind, name)
            run(lambda service: service.delete(self.kind, name))
            if as_json:
                print_json({"deleted": {"kind": self.kind, "name": name}})
            else:
                click.echo(f"{self.kind} {name} is deleted.")

        return delete


def confirm_delete(kind: Kind, name: str) -> None:
    """Ask whether to delete what is there; raise Refused if nobody can be asked."""
    if not surroundings().can_ask:
        raise Refused(f"Nobody is here to confirm that {kind} {name} may be deleted; give --yes if it may.")
    try:
        run(lambda service: service.show(kind, name))
    except DocumentNotFound:
        raise
    except CatalogError as error:
        # What cannot be read can be deleted.
        click.echo(printable(str(error)), err=True)
    click.confirm(f"Delete {kind} {name}?", abort=True, err=True)


def print_document(document: Mapping[str, Any], as_json: bool) -> None:
    """One document, a field a row for people."""
    if as_json:
        print_json(document)
    else:
        print_table(fields_table(document))


def _backend_of(api: Api) -> str:
    return api.backend if isinstance(api.backend, str) else api.backend.url


def _credentials_of(backend: BackendSettings) -> str | None:
    credentials = backend.to_json().get("credentials")
    return next(iter(credentials)) if credentials else None


def _moment(moment: datetime | None) -> str | None:
    return write_moment(moment) if moment else None


def _value_of(named_value: NamedValue) -> str:
    if named_value.value is not None and (not named_value.secret or setting_in(named_value.value)):
        return named_value.value
    return "(hidden)"


apis = KindGroup[Api](
    kind="Api",
    name="apis",
    plural="APIs",
    example="openai",
    titles=("NAME", "DISPLAY NAME", "PATH", "TYPE", "BACKEND", "PRODUCTS", "NEEDS KEY"),
    columns=lambda api: (
        api.name,
        api.display_name,
        f"/{api.path}",
        api.type,
        _backend_of(api),
        api.products,
        api.subscription_required,
    ),
).build()

products = KindGroup[Product](
    kind="Product",
    name="products",
    plural="products",
    example="starter",
    titles=("NAME", "DISPLAY NAME", "STATE", "NEEDS KEY", "NEEDS APPROVAL"),
    columns=lambda product: (
        product.name,
        product.display_name,
        product.state,
        product.subscription_required,
        product.approval_required,
    ),
).build()

subscriptions = KindGroup[Subscription](
    kind="Subscription",
    name="subscriptions",
    plural="subscriptions",
    example="team-a",
    titles=("NAME", "DISPLAY NAME", "SCOPE", "STATE", "STARTS", "EXPIRES"),
    columns=lambda subscription: (
        subscription.name,
        subscription.display_name,
        subscription.scope,
        subscription.state,
        _moment(subscription.start_date),
        _moment(subscription.expiration_date),
    ),
).build()

named_values = KindGroup[NamedValue](
    kind="NamedValue",
    name="named-values",
    plural="named values",
    example="openai-key",
    titles=("NAME", "DISPLAY NAME", "SECRET", "VALUE"),
    columns=lambda value: (value.name, value.display_name, value.secret, _value_of(value)),
).build()

backends = KindGroup[Backend](
    kind="Backend",
    name="backends",
    plural="backends",
    example="model",
    titles=("NAME", "DISPLAY NAME", "URL", "CREDENTIALS"),
    columns=lambda backend: (backend.name, backend.display_name, backend.url, _credentials_of(backend)),
).build()


@click.group(epilog=epilog(["gateway show", "gateway show --json"]))
def gateway() -> None:
    """The settings of the whole gateway that are in the catalog."""


@gateway.command("show", cls=Command, examples=["gateway show", "gateway show --json"])
@JSON
def show_gateway(as_json: bool) -> None:
    """Show the gateway's settings, defaults included. They are changed with `apply`, as kind Gateway."""
    document = run(lambda service: service.show("Gateway", "gateway"))
    effective = document.model_dump(mode="json", by_alias=True, exclude_none=True)
    print_document({"kind": document.kind, **effective}, as_json)
