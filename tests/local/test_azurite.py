"""local/azurite.py: the table service starts, keeps its data, and keeps its port."""

from __future__ import annotations

import socket
from pathlib import Path

from azure.data.tables import TableServiceClient

from local.azurite import Azurite, free_port, port_is_free


def tables_of(azurite: Azurite) -> list[str]:
    """The names of all tables there are."""
    with TableServiceClient.from_connection_string(azurite.connection_string) as client:
        return [table.name for table in client.list_tables()]


def create_table(azurite: Azurite, name: str) -> None:
    """Make one table."""
    with TableServiceClient.from_connection_string(azurite.connection_string) as client:
        client.create_table(name)


def test_data_in_a_directory_outlives_the_process(tmp_path: Path) -> None:
    """What was written a moment before stop is there at the next start."""
    with Azurite(tmp_path) as azurite:
        create_table(azurite, "kept")
    with Azurite(tmp_path) as azurite:
        assert tables_of(azurite) == ["kept"]


def test_keeps_its_port_over_a_restart_and_its_data_not_without_a_directory() -> None:
    """Clients can be watched through an outage; memory only means memory only."""
    with Azurite() as azurite:
        before = azurite.connection_string
        create_table(azurite, "forgotten")
        azurite.stop()
        assert azurite.pid is None
        assert port_is_free(azurite.port)
        azurite.start()
        assert azurite.connection_string == before
        assert tables_of(azurite) == []


def test_takes_the_port_it_is_given() -> None:
    """A caller who names a port gets that one."""
    port = free_port()
    with Azurite(port=port) as azurite:
        assert azurite.port == port
        assert not port_is_free(port)
    assert port_is_free(port)


def test_nobody_else_is_given_its_port() -> None:
    """Not before it starts, and not while it is stopped; that it can be listened on is seen above."""
    azurites = [Azurite() for _ in range(20)]
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(500)]
    given = {each.getsockname()[1] for each in held}
    for each in held:
        each.close()
    assert len({azurite.port for azurite in azurites} - given) == 20
