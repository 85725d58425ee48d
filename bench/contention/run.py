"""One contest, from an empty counter to the verdict."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from bench.contention.contest import Contest
from bench.contention.crowd import Crowd
from bench.contention.journal import Entries
from bench.contention.verdict import Verdict, judge
from gateway.ledger.record import Record
from gateway.settings import Settings
from gateway.storage.ledger import LedgerStore
from gateway.storage.tables import Tables


def hold(contest: Contest, connection: str) -> Verdict:
    """Let the processes spend from the tables at `connection`; raise ProcessFailed if one cannot."""
    with tempfile.TemporaryDirectory(prefix="contest-") as folder:
        crowd = Crowd(contest, connection, Path(folder))
        crowd.run()
        return judge(contest, Entries.of(crowd.journals), crowd.kills, asyncio.run(_record(contest, connection)))


async def _record(contest: Contest, connection: str) -> Record:
    tables = Tables(Settings(tables=connection))
    try:
        stored = await LedgerStore(tables).read(contest.key(0))
    finally:
        await tables.aclose()
    return Record.from_text(stored.text) if stored else Record()
