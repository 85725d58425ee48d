"""`doctor`: what is wrong, and what mends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import click

from gateway.errors import ConfigurationError
from gateway.management.cli.failures import REFUSED
from gateway.management.cli.options import JSON, Command
from gateway.management.cli.output import print_json, printable
from gateway.management.cli.session import current_settings, run_on_tables, service_on
from gateway.management.doctor.examination import examine
from gateway.management.doctor.finding import Finding
from gateway.management.doctor.outside import check_outside
from gateway.management.doctor.settings import faults_of_settings
from gateway.storage.tables import Tables

WIDTH = len("skipped")


@click.command(cls=Command, examples=["doctor", "doctor --json", "doctor --url https://my-gateway.azurewebsites.net"])
@click.option("--url", metavar="URL", help="Look at a gateway that runs there, from outside, in place of the tables.")
@click.option("--path", metavar="PATH", help="With --url: the path of an API, to be called without a key.")
@JSON
def doctor(url: str | None, path: str | None, as_json: bool) -> None:
    """Check everything that calls need, and say what mends what is wrong.

    The settings; storage, each permission by trying it in a table that is removed again; the secret key; the catalog;
    every backend, embeddings model and content safety service that it names, each asked once; clock and telemetry.
    With --url only what can be seen from outside: whether the gateway answers and is ready, and with --path whether it
    refuses a call without a key.

    It exits with 1 if something failed. Content safety and embeddings may charge for the one text they are asked.
    """
    if url == "":
        raise click.UsageError("--url is empty. Give the gateway's address, or leave it out to look at the tables.")
    if path and not url:
        raise click.UsageError("--path needs --url.")
    found: list[Finding] = []
    try:
        if url:
            asyncio.run(_told(check_outside(url, path), found, as_json))
        else:
            settings, environment = current_settings()

            async def work(tables: Tables) -> None:
                await _told(examine(settings, environment, tables, service_on(tables)), found, as_json)

            run_on_tables(work)
    except ConfigurationError as error:
        for finding in faults_of_settings(error.faults):
            _tell(finding, found, as_json)
    failed = sum(finding.state == "failed" for finding in found)
    if as_json:
        print_json({"failed": failed, "findings": [finding.to_json() for finding in found]})
    else:
        click.echo(f"{failed} of {len(found)} checks failed." if failed else "Everything that was checked is well.")
    click.get_current_context().exit(REFUSED if failed else 0)


async def _told(findings: AsyncIterator[Finding], found: list[Finding], as_json: bool) -> None:
    async for finding in findings:
        _tell(finding, found, as_json)


def _tell(finding: Finding, found: list[Finding], as_json: bool) -> None:
    """At once, for some checks take their time."""
    found.append(finding)
    if as_json:
        return
    click.echo(printable(f"{finding.state:{WIDTH}}  {finding.check}: {finding.said}"))
    if finding.mend:
        click.echo(printable(f"{'':{WIDTH}}  -> {finding.mend}"))
