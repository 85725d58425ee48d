"""`cache stats`, `show`, `explain` and `purge`: what the semantic cache holds."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from gateway.cache.entry import ID, Entry
from gateway.catalog.fields import write_moment
from gateway.management.cache_explained import Candidate
from gateway.management.cache_explained import explain as explained
from gateway.management.cached_answers import CachedAnswers, ScopeState
from gateway.management.cli.failures import Refused
from gateway.management.cli.options import JSON, Command, epilog
from gateway.management.cli.output import Table, print_json, print_table
from gateway.management.cli.session import answers_store, current_settings, run_on_tables, service_on
from gateway.storage.tables import Tables

TITLES = ("API", "SUBSCRIPTION", "MODEL", "ENTRIES", "OLDEST (UTC)", "NEWEST (UTC)", "SCOPE")
SHOWN_OF_SCOPE = 12
SPAN = re.compile(r"([1-9][0-9]{0,5})(min|h|d)")
SECONDS = {"min": 60, "h": 3_600, "d": 86_400}

API = click.option("--api", metavar="NAME", help="Only of this API.")
SUBSCRIPTION = click.option("--subscription", metavar="NAME", help="Only of this subscription's calls.")


@click.group(epilog=epilog(["cache stats", "cache purge --api openai", "cache purge --older-than 24h"]))
def cache() -> None:
    """See and remove what the semantic cache keeps. Neither prompts nor answers are shown."""


@cache.command(cls=Command, examples=["cache stats", "cache stats --api openai --json"])
@API
@SUBSCRIPTION
@JSON
def stats(api: str | None, subscription: str | None, as_json: bool) -> None:
    """Show how many answers are kept, by scope: what shares its answers."""

    async def read(tables: Tables) -> list[ScopeState]:
        return [state async for state in CachedAnswers(answers_store(tables)).scopes(api, subscription)]

    found = run_on_tables(read)
    if as_json:
        print_json([_scope_fields(state) for state in found])
    elif found:
        print_table(Table(TITLES, tuple(_cells(state) for state in found)))
    else:
        click.echo("Nothing is kept.", err=True)


@cache.command(
    cls=Command,
    examples=["cache show 1763884800000-0123456789ab", "cache show 1763884800000-0123456789ab --json"],
)
@click.argument("id")
@JSON
def show(id: str, as_json: bool) -> None:
    """Show one entry, by the ID that the header x-cache-id says."""
    entry = run_on_tables(lambda tables: _entry(tables, id))
    fields = _entry_fields(entry)
    if as_json:
        print_json(fields)
    else:
        print_table(Table(("FIELD", "VALUE"), tuple((name, str(value)) for name, value in fields.items())))


@cache.command(
    cls=Command,
    examples=[
        "cache purge --api openai --yes",
        "cache purge --subscription team-a --yes",
        "cache purge --older-than 24h --yes",
        "cache purge --id 1763884800000-0123456789ab",
        "cache purge --yes --json",
    ],
)
@API
@SUBSCRIPTION
@click.option("--older-than", metavar="SPAN", help="Only what was kept so long ago or longer: 30min, 24h, 7d.")
@click.option("--id", metavar="ID", help="Only this entry.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON
def purge(
    api: str | None, subscription: str | None, older_than: str | None, id: str | None, yes: bool, as_json: bool
) -> None:
    """Remove answers; without options all of them. Instances of the gateway follow within seconds."""
    if id is not None and (api or subscription or older_than):
        raise click.UsageError("--id goes without the other options.")
    before = None if older_than is None else time.time() - _seconds(older_than)
    if id is None and not yes:
        click.confirm("Remove these answers from the cache?", abort=True, err=True)

    async def remove(tables: Tables) -> int:
        answers = CachedAnswers(answers_store(tables))
        if id is None:
            return await answers.purge(api, subscription, before)
        await answers.remove(await _entry(tables, id))
        return 1

    removed = run_on_tables(remove)
    if as_json:
        print_json({"removed": removed})
    else:
        click.echo(f"{removed} {'answer was' if removed == 1 else 'answers were'} removed.")


@cache.command(
    cls=Command,
    examples=[
        'cache explain --api openai "How do I boil an egg?"',
        'cache explain --api openai "How do I boil an egg?" --limit 3 --json',
    ],
)
@click.option("--api", required=True, metavar="NAME", help="The API whose cache is asked.")
@click.option("--limit", default=5, type=click.IntRange(1, 100), help="So many entries. Default: 5.")
@click.argument("prompt")
@JSON
def explain(api: str, limit: int, prompt: str, as_json: bool) -> None:
    """Show the entries that are nearest to PROMPT, and what the guard says of each.

    One that would be served still has to be of the same caller, conversation and parameters. What was asked is shown
    only where storePrompts is on.
    """
    found = run_on_tables(lambda tables: _explained(tables, api, prompt, limit))
    if as_json:
        print_json([_candidate_fields(each) for each in found])
    elif found:
        rows = tuple(
            (each.id, each.subscription or "-", f"{each.distance:.4f}", each.verdict, each.prompt or "-")
            for each in found
        )
        print_table(Table(("ID", "SUBSCRIPTION", "DISTANCE", "VERDICT", "PROMPT"), rows))
    else:
        click.echo("Nothing is kept that could be compared.", err=True)


async def _explained(tables: Tables, api: str, prompt: str, limit: int) -> Sequence[Candidate]:
    settings, _ = current_settings()
    snapshot, _ = await service_on(tables).preview([])
    entry = snapshot.apis.get(api)
    if entry is None:
        raise Refused(f"Api {api} does not exist, or cannot be served.")
    caches = entry.caches.all()
    if not caches:
        raise Refused(f"Api {api} has no semanticCache.")
    return await explained(answers_store(tables), api, caches[0], prompt, limit, settings.azure_client_id)


def _candidate_fields(candidate: Candidate) -> dict[str, Any]:
    return {
        "id": candidate.id,
        "subscription": candidate.subscription,
        "distance": round(candidate.distance, 6),
        "verdict": candidate.verdict,
        "guard": candidate.objection,
        "prompt": candidate.prompt or None,
    }


async def _entry(tables: Tables, id: str) -> Entry:
    entry = await CachedAnswers(answers_store(tables)).entry(id) if ID.fullmatch(id) else None
    if entry is None:
        raise Refused(f"Entry {id} is not in the cache; the header x-cache-id of an answer says its id.")
    return entry


def _seconds(text: str) -> int:
    found = SPAN.fullmatch(text)
    if found is None:
        raise click.UsageError(
            f'--older-than must be minutes, hours or days, such as 30min, 24h or 7d, and is "{text}".'
        )
    return int(found[1]) * SECONDS[found[2]]


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _cells(state: ScopeState) -> tuple[str, ...]:
    moments = (_moment(state.oldest), _moment(state.newest))
    told = (f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "-" for moment in moments)
    scope = state.scope
    return (
        *(scope.api, scope.subscription or "-", scope.model or "-"),
        *(f"{state.entries:,}", *told, scope.scope[:SHOWN_OF_SCOPE]),
    )


def _scope_fields(state: ScopeState) -> dict[str, Any]:
    oldest, newest = _moment(state.oldest), _moment(state.newest)
    return {
        "api": state.scope.api,
        "subscription": state.scope.subscription,
        "model": state.scope.model,
        "scope": state.scope.scope,
        "entries": state.entries,
        "oldest": write_moment(oldest) if oldest else None,
        "newest": write_moment(newest) if newest else None,
    }


def _entry_fields(entry: Entry) -> dict[str, Any]:
    created, expires = _moment(entry.created), _moment(entry.expires)
    return {
        "id": entry.id,
        "api": entry.api,
        "subscription": entry.subscription,
        "scope": entry.scope,
        "created": write_moment(created) if created else None,
        "expires": write_moment(expires) if expires else None,
        "byMeaning": bool(entry.fingerprint),
        "prompt": entry.prompt or None,
    }
