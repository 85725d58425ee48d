"""Table Storage: each permission by trying it, in a table of its own that is removed again."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from gateway.errors import StorageUnavailable
from gateway.management.doctor.clock import judge_clock
from gateway.management.doctor.finding import Finding
from gateway.storage.tables import NotFound, Tables

ROW = {"PartitionKey": "doctor", "RowKey": "doctor", "value": "written"}
MEND = (
    'Give whoever asks the role: `az role assignment create --role "Storage Table Data Contributor" --assignee ID '
    "--scope STORAGE-ACCOUNT-ID`, which takes effect after some minutes. If storage cannot be reached, check "
    "GATEWAY_TABLES, the network and its rules."
)

Operation = Callable[[Any], Awaitable[Any]]


async def check_storage(tables: Tables, now: Callable[[], float] = time.time) -> AsyncIterator[Finding]:
    """A finding for each permission, and one for the clock."""
    table = f"gatewaydoctor{secrets.token_hex(6)}"
    dates: list[str] = []

    def seen(response: Any) -> None:
        dates.append(response.http_response.headers.get("Date", ""))

    made = await _try(tables, table, "create tables", lambda client: client.create_table())
    yield made
    if made.state == "failed":
        return
    steps: list[tuple[str, Operation]] = [
        ("write", lambda client: client.upsert_entity(ROW)),
        ("read", lambda client: client.get_entity("doctor", "doctor", raw_response_hook=seen)),
        ("delete", lambda client: client.delete_entity("doctor", "doctor")),
    ]
    try:
        for name, operation in steps:
            yield await _try(tables, table, name, operation)
        if dates:
            yield judge_clock(dates[0], now(), "storage")
    finally:
        removed = await _try(tables, table, "remove tables", lambda client: client.delete_table())
    if removed.state == "failed":
        mend = f"Remove the table {table} by hand."
        yield Finding("storage", "warning", f"The table of this check could not be removed: {removed.said}", mend)


async def _try(tables: Tables, table: str, name: str, operation: Operation) -> Finding:
    try:
        await tables.send(table, operation)
    except StorageUnavailable as error:
        return Finding("storage", "failed", f"It may not {name}: {error}.", MEND)
    except NotFound:
        return Finding("storage", "failed", f"It may not {name}: what was written is not there.", MEND)
    return Finding("storage", "ok", f"It may {name}.")
