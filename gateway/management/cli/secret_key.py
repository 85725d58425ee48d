"""`secret-key`: a key for GATEWAY_SECRET_KEY."""

from __future__ import annotations

import click

from gateway.catalog.secrets import generate_secret_key
from gateway.management.cli.options import JSON, epilog
from gateway.management.cli.output import print_json


@click.command("secret-key", epilog=epilog(["secret-key", "secret-key --json"]))
@JSON
def secret_key(as_json: bool) -> None:
    """Print a new key for GATEWAY_SECRET_KEY.

    That setting encrypts named values. Nothing is stored here. To rotate, put the new key in front of the old one,
    separated by a comma, set the named values again, and then remove the old key.
    """
    key = generate_secret_key()
    if as_json:
        print_json({"secretKey": key})
    else:
        click.echo(key)
