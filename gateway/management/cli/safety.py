"""`safety test`: what the service says of a text, and what the policy would do; and `safety blocklists`."""

from __future__ import annotations

from typing import Any

import click

from gateway.management.cli.failures import REFUSED
from gateway.management.cli.options import JSON, Command, epilog
from gateway.management.cli.output import Table, print_json, print_table
from gateway.management.cli.safety_blocklists import blocklists
from gateway.management.cli.session import current_settings, run_on_tables, service_on
from gateway.management.safety_tried import Row, Tried, tried
from gateway.management.screenings import screenings_of
from gateway.storage.tables import Tables

TITLES = ("BACKEND", "CHECK", "SAID", "BLOCKS AT", "VERDICT")


@click.group(epilog=epilog(['safety test --api openai "How are you?"', "safety blocklists list --api openai"]))
def safety() -> None:
    """Try what contentSafety makes of a text, and manage the service's blocklists."""


@safety.command(
    "test",
    cls=Command,
    examples=['safety test --api openai "How are you?"', 'safety test --api openai "How are you?" --json'],
)
@click.option("--api", required=True, metavar="NAME", help="The API whose contentSafety is tried.")
@click.option("--product", metavar="NAME", help="As a call through this product would be screened.")
@click.argument("text")
@JSON
def test(api: str, product: str | None, text: str, as_json: bool) -> None:
    """Show what the service says of TEXT as a user's prompt, and what the policy would do with such a call.

    The service itself is asked, and may charge for it; no model hears of the text. A backend with a managed identity is
    asked as whoever is signed in with az or azd. It exits with 1 if a service gives no verdict.
    """
    found = run_on_tables(lambda tables: _tried(tables, api, product, text))
    if as_json:
        print_json(_document(found))
        _exit(found)
        return
    rows = tuple(_cells(each.backend, row) for each in found for row in each.rows)
    if rows:
        print_table(Table(TITLES, rows))
    click.echo(_sentence(found))
    _exit(found)


safety.add_command(blocklists)


async def _tried(tables: Tables, api: str, product: str | None, text: str) -> list[Tried]:
    settings, _ = current_settings()
    snapshot, _ = await service_on(tables).preview([])
    return await tried(screenings_of(snapshot, api, product), text, settings.azure_client_id)


def _document(found: list[Tried]) -> dict[str, Any]:
    screenings = [
        {
            "backend": each.backend,
            "unavailable": each.unavailable,
            "checks": [
                {"check": row.check, "severity": row.severity, "detected": row.detected, "filtered": row.filtered}
                for row in each.rows
            ],
        }
        for each in found
    ]
    return {"outcome": _outcome(found), "screenings": screenings}


def _cells(backend: str, row: Row) -> tuple[str, ...]:
    said = ("found" if row.detected else "not found") if row.severity is None else f"severity {row.severity}"
    threshold = "-" if row.threshold is None else f"severity {row.threshold}"
    return backend, row.check, said, threshold, "blocks" if row.filtered else "passes"


def _outcome(found: list[Tried]) -> str:
    if any(row.filtered for each in found for row in each.rows):
        return "content_filter"
    if any(each.unavailable and each.blocks_unscreened for each in found):
        return "content_safety_unavailable"
    return "unscreened" if any(each.unavailable for each in found) else "clean"


SENTENCES = {
    "content_filter": "A call with this text is refused: 403 content_filter.",
    "content_safety_unavailable": "A call is refused: 503 content_safety_unavailable, for onError is block.",
    "unscreened": "A call goes through unscreened, for onError is allow.",
    "clean": "A call with this text goes through.",
}


def _sentence(found: list[Tried]) -> str:
    reasons = [f"No verdict from {each.backend}: {each.unavailable}." for each in found if each.unavailable]
    return "\n".join([*reasons, SENTENCES[_outcome(found)]])


def _exit(found: list[Tried]) -> None:
    if any(each.unavailable for each in found):
        click.get_current_context().exit(REFUSED)
