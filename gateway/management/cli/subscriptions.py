"""`subscriptions create`, `regenerate`, and the commands that change a subscription's state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import click

from gateway.catalog.fields import check_scope, parse_moment
from gateway.catalog.models import SubscriptionState
from gateway.management.cli.keys import keys_json, print_key_rows, print_keys
from gateway.management.cli.options import JSON, Command
from gateway.management.cli.output import print_json
from gateway.management.cli.session import run


def _scope(context: click.Context, parameter: click.Parameter, value: str) -> str:
    try:
        return check_scope(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _moment(context: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    try:
        return parse_moment(value) if value is not None else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command(
    cls=Command,
    examples=[
        "subscriptions create team-a --scope /products/starter",
        "subscriptions create tester --scope /apis/openai --expires 2030-01-31",
        "subscriptions create operations --scope /apis --json",
    ],
)
@click.argument("name")
@click.option("--scope", required=True, callback=_scope, help="/products/NAME, /apis/NAME, or /apis for all APIs.")
@click.option("--display-name", metavar="TEXT")
@click.option("--start", callback=_moment, metavar="DATE", help="Not valid before this date (UTC) or RFC 3339 time.")
@click.option("--expires", callback=_moment, metavar="DATE", help="Not valid from this date (UTC) or RFC 3339 time on.")
@JSON
def create(
    name: str,
    scope: str,
    display_name: str | None,
    start: datetime | None,
    expires: datetime | None,
    as_json: bool,
) -> None:
    """Create a subscription and print its two keys, which are shown only now.

    For a product that requires approval it starts as `submitted`; `subscriptions activate` approves it.
    """
    issued = run(lambda service: service.create_subscription(name, scope, display_name, start, expires))
    if as_json:
        print_json({"name": name, "state": issued.state, **keys_json(issued)})
        return
    click.echo(f"Subscription {name} is {issued.state}.", err=True)
    print_keys({name: issued})


@click.command(
    cls=Command,
    examples=[
        "subscriptions regenerate team-a --slot secondary",
        "subscriptions regenerate master --slot primary --json",
    ],
)
@click.argument("name")
@click.option("--slot", required=True, type=click.Choice(["primary", "secondary"]), help="Which of the two keys.")
@JSON
def regenerate(name: str, slot: Literal["primary", "secondary"], as_json: bool) -> None:
    """Replace one key of a subscription and print the new one, which is shown only now.

    The old key stops working within GATEWAY_KEY_CACHE_SECONDS (30 s); the other key goes on working.
    """
    key = run(lambda service: service.regenerate_key(name, slot))
    if as_json:
        print_json({"name": name, f"{slot}Key": key})
    else:
        print_key_rows([(name, slot, key)])


def _state_command(verb: str, state: SubscriptionState, summary: str) -> click.Command:
    examples: Sequence[str] = [f"subscriptions {verb} team-a", f"subscriptions {verb} team-a --json"]

    @click.command(verb, cls=Command, help=summary, examples=examples)
    @click.argument("name")
    @JSON
    def change(name: str, as_json: bool) -> None:
        run(lambda service: service.set_state(name, state))
        if as_json:
            print_json({"name": name, "state": state})
        else:
            click.echo(f"Subscription {name} is {state}.")

    return change


STATE_COMMANDS = (
    _state_command("suspend", "suspended", "Make a subscription's keys stop working, until it is activated."),
    _state_command("activate", "active", "Make a subscription's keys work; approve one that is submitted."),
    _state_command("reject", "rejected", "Decline a subscription that is submitted."),
    _state_command("cancel", "cancelled", "End a subscription; its keys stop working."),
)
