"""`python -m gateway` as a process of its own, and at a terminal."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.settings import Settings
from gateway.storage.tables import Put, Tables
from local.model import ModelServer

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "gateway"]
# Not a secret: 32 zero bytes in URL-safe base64.
SECRET_KEY = "A" * 43 + "="
SECRET = "sk-very-secret"
CLOSED = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:1/a;"


def environment(tables: str = "") -> dict[str, str]:
    """This process's environment, with the gateway's settings put in place of any that are there."""
    ours = {name: text for name, text in os.environ.items() if not name.startswith(("GATEWAY_", "AzureWebJobs"))}
    return {**ours, "GATEWAY_TABLES": tables, "GATEWAY_SECRET_KEY": SECRET_KEY, "PYTHONPATH": str(ROOT)}


def run(*arguments: str, folder: Path, tables: str = "", stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run one command with its streams on pipes."""
    command = [*COMMAND, *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(tables),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def model() -> Iterator[ModelServer]:
    """A stand-in model that asks for a key."""
    server = ModelServer(key=SECRET)
    yield server
    server.close()


def test_help(tmp_path: Path) -> None:
    """The program calls itself what people type."""
    done = run("--help", folder=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: python -m gateway [OPTIONS] COMMAND")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "tables", "code"),
    [
        (["apis", "list"], "", 2),
        (["no-such-command"], "", 2),
        (["apis", "list"], CLOSED, 3),
        (["check", "--offline", "-f", "missing.yaml"], "", 1),
    ],
    ids=["no settings", "usage", "no storage", "refused"],
)
def test_exit_codes(tmp_path: Path, arguments: list[str], tables: str, code: int) -> None:
    """Sentences on stderr and no traceback, whatever goes wrong."""
    done = run(*arguments, folder=tmp_path, tables=tables)
    assert done.returncode == code
    assert done.stdout == ""
    assert done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("tables")
def test_import_and_list(tmp_path: Path, azurite: str, model: ModelServer) -> None:
    """Against a model that answers: created. Against a closed port: refused. The key is never shown."""
    options = ["--key-header", "Authorization", "--key-value", "-", "--json"]
    named = ["import", "--display-name", "Process", "--url"]
    refused = run(*named, "http://127.0.0.1:1/v1", *options, folder=tmp_path, tables=azurite, stdin=f"Bearer {SECRET}")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "Nothing listens at 127.0.0.1:1" in refused.stderr
    done = run(*named, model.url, *options, folder=tmp_path, tables=azurite, stdin=f"Bearer {SECRET}")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["created"] == ["NamedValue process-key", "Api process"]
    listed = run("apis", "list", folder=tmp_path, tables=azurite)
    assert "process" in listed.stdout
    assert listed.stderr == ""
    assert SECRET not in done.stdout + done.stderr + refused.stderr


@pytest.mark.usefixtures("tables")
def test_a_broken_document_is_named_and_the_others_are_listed(tmp_path: Path, azurite: str) -> None:
    """What somebody spoilt by hand in the table is told on stderr."""
    run("apply", "-f", "-", folder=tmp_path, tables=azurite, stdin="kind: Product\nname: whole\n")
    asyncio.run(_spoil(azurite, "Product:spoilt"))
    listed = run("products", "list", folder=tmp_path, tables=azurite)
    assert listed.returncode == 0
    assert "whole" in listed.stdout
    assert listed.stderr.startswith("left out: row Product:spoilt: ")
    assert run("products", "delete", "spoilt", "--yes", folder=tmp_path, tables=azurite).returncode == 0


async def _spoil(azurite: str, row: str) -> None:
    tables = Tables(Settings(tables=azurite))
    try:
        entity = {"PartitionKey": "catalog", "RowKey": row, "document00": "{not JSON"}
        await tables.table("gatewaycatalog").put(Put(entity))
    finally:
        await tables.aclose()


class Terminal:
    """A person at a terminal: types when the screen shows what is waited for."""

    def __init__(self, folder: Path, tables: str, *arguments: str) -> None:
        self._screen, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=folder,
            env={**environment(tables), "TERM": "xterm", "COLUMNS": "100"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.text = ""

    def wait_for(self, text: str) -> None:
        """Read until this appears."""
        while text not in self.text:
            assert select.select([self._screen], [], [], 30)[0], f"{text!r} did not appear in {self.text!r}"
            self.text += os.read(self._screen, 4096).decode()

    def type(self, text: str) -> None:
        """Press these keys, and Enter."""
        os.write(self._screen, f"{text}\n".encode())

    def until_end(self) -> int:
        """Read what is left, and the exit code."""
        try:
            while data := os.read(self._screen, 4096):
                self.text += data.decode()
        except OSError:
            # Linux says with EIO that the other side has closed.
            pass
        os.close(self._screen)
        return self._process.wait(10)


@pytest.mark.usefixtures("tables")
def test_a_secret_typed_at_a_terminal_is_not_shown(tmp_path: Path, azurite: str) -> None:
    """The prompt appears, the keys that are pressed do not."""
    terminal = Terminal(tmp_path, azurite, "named-values", "set", "typed")
    terminal.wait_for("Value of typed:")
    terminal.type(SECRET)
    assert terminal.until_end() == 0
    assert "NamedValue typed" in terminal.text
    assert SECRET not in terminal.text


@pytest.mark.usefixtures("tables")
def test_a_terminal_gets_questions_and_ruled_tables(tmp_path: Path, azurite: str) -> None:
    """`delete` asks there, and lists have a rule below their titles."""
    run("apply", "-f", "-", folder=tmp_path, tables=azurite, stdin="kind: Product\nname: asked\n")
    terminal = Terminal(tmp_path, azurite, "products", "list")
    assert terminal.until_end() == 0
    assert "──" in terminal.text
    terminal = Terminal(tmp_path, azurite, "products", "delete", "asked")
    terminal.wait_for("Delete Product asked? [y/N]")
    terminal.type("y")
    assert terminal.until_end() == 0
    assert "Product asked is deleted." in terminal.text
