"""A command line that is connected to empty tables."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import get_args

import pytest

from gateway.settings import Settings
from gateway.storage.tables import NotFound, TableName, Tables
from tests.management.cli.command_line import SECRET_KEY, CommandLine


@pytest.fixture
def storage(azurite: str) -> str:
    """The connection string of a table service with none of the gateway's tables in it."""
    asyncio.run(_empty(azurite))
    return azurite


@pytest.fixture
def gateway(storage: str, tmp_path: Path) -> CommandLine:
    """The command line on empty tables, in an empty folder, with nobody to ask."""
    return CommandLine({"GATEWAY_TABLES": storage, "GATEWAY_SECRET_KEY": SECRET_KEY}, tmp_path)


@pytest.fixture
def unconnected(tmp_path: Path) -> CommandLine:
    """The command line without any setting."""
    return CommandLine({}, tmp_path)


async def _empty(connection: str) -> None:
    tables = Tables(Settings(tables=connection))
    try:
        for name in get_args(TableName):
            await _delete(tables, name)
    finally:
        await tables.aclose()


async def _delete(tables: Tables, name: str) -> None:
    try:
        await tables.send(name, lambda client: client.delete_table())
    except NotFound:
        return
