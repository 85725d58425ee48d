"""Subscription keys on their only way out."""

from __future__ import annotations

from collections.abc import Mapping

import click

from gateway.management.cli.output import Table, print_table
from gateway.management.service import IssuedKeys


def keys_json(issued: IssuedKeys) -> dict[str, str]:
    """For programs."""
    return {"primaryKey": issued.primary, "secondaryKey": issued.secondary}


def print_keys(keys: Mapping[str, IssuedKeys]) -> None:
    """For people: a row for each key."""
    rows = [
        (name, slot, key)
        for name, issued in keys.items()
        for slot, key in (("primary", issued.primary), ("secondary", issued.secondary))
    ]
    print_key_rows(rows)


def print_key_rows(rows: list[tuple[str, str, str]]) -> None:
    """Subscription, slot and key, with the warning on stderr where it spoils no pipe."""
    print_table(Table(("SUBSCRIPTION", "SLOT", "KEY"), tuple(rows)))
    click.echo("Keys are shown only now: the gateway keeps their hashes, not the keys.", err=True)
