"""`named-values set`: a secret on its way in."""

from __future__ import annotations

from collections.abc import Mapping

import click

from gateway.catalog.loading import validate
from gateway.catalog.models import NamedValue
from gateway.management.cli.catalog_files import print_result, result_json
from gateway.management.cli.failures import Refused
from gateway.management.cli.options import JSON, Command
from gateway.management.cli.output import print_json
from gateway.management.cli.session import run, surroundings
from gateway.management.cli.sources import read_standard_input
from gateway.management.service import ApplyResult, CatalogService


@click.command(
    "set",
    cls=Command,
    examples=[
        "named-values set openai-key",
        "named-values set openai-key --value - < key.txt",
        "named-values set openai-key --env OPENAI_KEY",
        "named-values set region --value westeurope --not-secret",
    ],
)
@click.argument("name")
@click.option("--value", metavar="TEXT", help="The value; - reads it from standard input, out of the shell's history.")
@click.option("--env", "setting", metavar="VAR", help="Refer to the gateway's app setting VAR and store no value.")
@click.option("--secret/--not-secret", default=None, help="Encrypt it, never show it. Default: as it was, or secret.")
@click.option("--display-name", metavar="TEXT", help="Default: as it was.")
@JSON
def set_named_value(
    name: str, value: str | None, setting: str | None, secret: bool | None, display_name: str | None, as_json: bool
) -> None:
    """Create a named value or give it a new value.

    Credentials refer to it as {{NAME}}. Without --value and --env the value is asked for, and not shown while typed.
    """
    if value is not None and setting is not None:
        raise click.UsageError("Give --value or --env, not both.")
    text = f"{{{{env:{setting}}}}}" if setting is not None else read_secret(value, f"Value of {name}")
    changes = {"value": text, "secret": secret, "displayName": display_name}

    async def work(service: CatalogService) -> ApplyResult:
        return await service.apply([await _changed(service, name, changes)])

    result = run(work)
    if as_json:
        print_json(result_json(result))
    else:
        print_result(result)


async def _changed(service: CatalogService, name: str, changes: Mapping[str, object]) -> NamedValue:
    stored = next((each for each in await service.list("NamedValue") if each.name == name), None)
    fields: dict[str, object] = stored.to_json() if stored else {"name": name}
    fields.pop("kind", None)
    return validate(NamedValue, {**fields, **{field: value for field, value in changes.items() if value is not None}})


def read_secret(given: str | None, prompt: str) -> str:
    """The text given as an option, from standard input if that is `-`, or asked for; raise Refused if it cannot be."""
    if given == "-":
        return read_standard_input().decode(errors="replace").strip()
    if given is not None:
        return given
    if not surroundings().can_ask:
        raise Refused("Nobody is here to type the value; give --value - and write it to standard input, or give --env.")
    answer: str = click.prompt(prompt, hide_input=True, err=True)
    return answer.strip()
