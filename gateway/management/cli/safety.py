"""`safety`: what is screened, and the service that does it."""

from __future__ import annotations

import click

from gateway.management.cli.options import epilog
from gateway.management.cli.safety_blocklists import blocklists


@click.group(epilog=epilog(["safety blocklists list --api openai"]))
def safety() -> None:
    """Manage the blocklists of Azure AI Content Safety."""


safety.add_command(blocklists)
