"""`import`: a language model API behind the gateway in one go, as API Management's form of that name does it."""

from __future__ import annotations

import asyncio
from typing import cast, get_args

import click

from gateway.catalog.snapshot import ResolvedBackend
from gateway.errors import CatalogError
from gateway.management.cli.catalog_files import print_result, result_json
from gateway.management.cli.failures import Refused
from gateway.management.cli.import_plan import Answers, ApiType, Known, Plan, make_plan, name_from
from gateway.management.cli.import_questions import ask, split_names
from gateway.management.cli.named_values import read_secret
from gateway.management.cli.options import JSON, YES, Command
from gateway.management.cli.output import Table, print_json, print_table, printable
from gateway.management.cli.probe import Finding, probe
from gateway.management.cli.session import run, surroundings
from gateway.management.service import CatalogService

NO_CHECK = "--no-check creates it all the same, for a backend that only the deployed gateway can reach."
MARKS = {"good": "OK", "doubtful": "Note", "failed": "Failed"}


@click.command(
    "import",
    cls=Command,
    examples=[
        "import",
        "import --display-name OpenAI --url https://api.openai.com/v1 --product starter \\\n"
        "      --key-header Authorization --key-value 'Bearer {{env:OPENAI_KEY}}'",
        "import --display-name Bedrock --url https://bedrock-runtime.eu-west-1.amazonaws.com --type passthrough",
    ],
)
@click.option("--display-name", metavar="TEXT", help="Asked for if not given.")
@click.option("--name", metavar="NAME", help="The Api's name. Default: made from the display name.")
@click.option("--description", metavar="TEXT")
@click.option("--url", metavar="URL", help="Of the backend, such as https://api.openai.com/v1. Asked for if not given.")
@click.option("--product", "--products", "products", multiple=True, metavar="NAME", help="May be given several times.")
@click.option("--create-product", is_flag=True, help="Create products that do not exist.")
@click.option("--path", metavar="PATH", help='Below the gateway\'s address; "" is its root. Default: the name.')
@click.option("--type", "api_type", type=click.Choice(get_args(ApiType)), help="Default: openai.")
@click.option("--key-header", metavar="HEADER", help="Header of the backend's access key, such as Authorization.")
@click.option(
    "--key-value",
    metavar="TEXT",
    help='Such as "Bearer sk-..."; - reads it from standard input. May refer to {{named-value}} or {{env:SETTING}}.',
)
@click.option("--no-check", is_flag=True, help="Do not call the backend first.")
@YES
@JSON
def import_api(
    products: tuple[str, ...], create_product: bool, no_check: bool, yes: bool, as_json: bool, **options: str | None
) -> None:
    """Import a language model API.

    Creates the Api with its backend, and its access key as a secret named value.

    With --display-name and --url nothing is asked, and what other options leave out takes its default; without them
    everything not given is asked for. The backend is called once, to see whether it answers and takes the key, and
    nothing is created if it does not.
    """
    if options["key_value"] and not options["key_header"]:
        raise click.UsageError("--key-value needs --key-header, the name of the header it goes into.")
    if options["key_value"] == "-":
        options["key_value"] = read_secret("-", "")
    is_asking = not (options["display_name"] and options["url"])
    if is_asking and not surroundings().can_ask:
        raise click.UsageError("Give --display-name and --url, or run this at a terminal to be asked for them.")
    known = run(Known.of)
    chosen = tuple(name for each in products for name in split_names(each))
    if is_asking:
        answers = ask(options, chosen if products else None, known, create_products=create_product)
    else:
        answers = _from_options(options, chosen)
    plan = make_plan(answers, known, create_products=create_product or is_asking)
    _import(plan, is_checked=not no_check, may_ask=is_asking and not yes, as_json=as_json)


def _from_options(options: dict[str, str | None], products: tuple[str, ...]) -> Answers:
    if options["key_header"] and not options["key_value"]:
        raise click.UsageError("--key-header needs --key-value, the access key that goes into it.")
    display_name = options["display_name"] or ""
    name = options["name"] or name_from(display_name)
    if not name:
        raise click.UsageError("The display name has no letters to make a name from; give --name.")
    return Answers(
        name=name,
        display_name=display_name,
        description=options["description"] or "",
        url=options["url"] or "",
        products=products,
        path=name if options["path"] is None else options["path"],
        type=cast(ApiType, options["api_type"] or "openai"),
        key_header=options["key_header"] or "",
        key_value=options["key_value"] or "",
    )


def _import(plan: Plan, *, is_checked: bool, may_ask: bool, as_json: bool) -> None:
    """Validate, check, review, create. Whatever is said on the way must not mix with the JSON on stdout."""
    backend = run(lambda service: _validated(service, plan))
    finding = asyncio.run(_probed(plan, backend, as_json)) if is_checked else None
    has_failed = finding is not None and finding.verdict == "failed"
    if has_failed and not may_ask:
        raise Refused(f"Nothing is created, for the backend cannot be used as it is. {NO_CHECK}")
    print_table(Table(("TO CREATE", "NAME", "WITH"), plan.rows()), err=as_json)
    if may_ask:
        click.confirm("Create this?", default=not has_failed, abort=True, err=True)
    result = run(lambda service: service.apply(plan.documents))
    if as_json:
        print_json({**result_json(result), "check": finding.to_json() if finding else None})
        return
    print_result(result)
    click.echo(f"A key for it: python -m gateway subscriptions create NAME --scope /apis/{plan.api.name}", err=True)


async def _validated(service: CatalogService, plan: Plan) -> ResolvedBackend:
    """The backend with its credential, if that can be read here; raise CatalogError if the plan cannot be applied."""
    faults = await service.check(plan.documents)
    if faults:
        raise CatalogError(faults)
    snapshot, _ = await service.preview(plan.documents)
    entry = snapshot.apis.get(plan.api.name)
    return entry.backend if entry else ResolvedBackend(plan.api.name, plan.backend)


async def _probed(plan: Plan, backend: ResolvedBackend, as_json: bool) -> Finding:
    click.echo(f"Calling {plan.backend.url} ...", err=True)
    finding = await probe(plan.api.type, backend)
    click.echo(printable(f"{MARKS[finding.verdict]}: {finding.text}"), err=as_json)
    return finding
