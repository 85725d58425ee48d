"""`python -m gateway`: all commands, put together."""

from __future__ import annotations

import logging

import click

from gateway.management.cli.cache import cache
from gateway.management.cli.catalog_files import apply, check, export
from gateway.management.cli.doctor import doctor
from gateway.management.cli.failures import RootGroup
from gateway.management.cli.import_api import import_api
from gateway.management.cli.kinds import apis, backends, gateway, named_values, products, subscriptions
from gateway.management.cli.limits import limits
from gateway.management.cli.named_values import set_named_value
from gateway.management.cli.options import DEBUG, epilog, shared_options
from gateway.management.cli.safety import safety
from gateway.management.cli.secret_key import secret_key
from gateway.management.cli.subscriptions import STATE_COMMANDS, create, regenerate
from gateway.management.cli.surroundings import Surroundings
from gateway.management.cli.usage import usage

EXAMPLES = (
    "import",
    "apply -f apis/",
    "export --output catalog.yaml",
    "apis list",
    "subscriptions create team-a --scope /products/starter",
    "subscriptions regenerate team-a --slot secondary",
    "usage --by subscription,model --last 7d",
    "doctor",
)


@click.group(cls=RootGroup, epilog=epilog(EXAMPLES), params=[*shared_options()])
@click.pass_context
def cli(context: click.Context) -> None:
    """Manage the gateway's catalog: APIs, products, subscriptions and their keys; see what calls used, and limits left.

    The catalog is in Table Storage; the settings that lead there are those of the gateway itself. Every command prints
    a table for people, and with --json one JSON document for programs. It exits with 0 when it is done, 1 when
    something is refused or wrong, 2 for a wrong command line or settings, and 3 when Table Storage cannot be used.
    """
    if context.obj is None:
        context.obj = Surroundings.of_process()
        _set_up_log(is_debug=bool(context.meta.get(DEBUG)))


def _set_up_log(*, is_debug: bool) -> None:
    """Failures are told once, in the command's own words: of the log only what the gateway itself calls an error."""
    if is_debug:
        logging.basicConfig(level=logging.INFO)
        return
    logging.basicConfig(level=logging.CRITICAL, format="%(message)s")
    logging.getLogger("gateway").setLevel(logging.ERROR)


for command in (
    import_api,
    apply,
    check,
    export,
    apis,
    products,
    subscriptions,
    named_values,
    backends,
    gateway,
    limits,
    cache,
    safety,
    usage,
    doctor,
    secret_key,
):
    cli.add_command(command)
for command in (create, regenerate, *STATE_COMMANDS):
    subscriptions.add_command(command)
named_values.add_command(set_named_value)
