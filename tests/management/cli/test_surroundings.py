"""Where the settings come from: option, environment, local.settings.json, in this order."""

import json
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.management.cli.surroundings import Surroundings
from tests.management.cli.command_line import CommandLine

CLOSED = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:1/a;"


def write_values(folder: Path, values: dict[str, object], **more: object) -> None:
    """A local.settings.json as the Functions tools have it."""
    (folder / "local.settings.json").write_text(json.dumps({"IsEncrypted": False, "Values": values, **more}))


def test_the_option_wins_over_the_environment(gateway: CommandLine, storage: str) -> None:
    """Before the command or behind it."""
    elsewhere = gateway.with_settings(GATEWAY_TABLES=CLOSED)
    assert elsewhere("apis", "list").exit_code == 3
    assert elsewhere("apis", "list", "--tables", storage).exit_code == 0
    assert elsewhere("--tables", storage, "apis", "list").exit_code == 0
    assert elsewhere("--tables", CLOSED, "apis", "list", "--tables", storage).exit_code == 0


def test_local_settings_stand_in_with_a_note(unconnected: CommandLine, storage: str) -> None:
    """The note is on stderr, so that --json stays one document."""
    write_values(unconnected.folder, {"GATEWAY_TABLES": storage})
    result = unconnected("apis", "list", "--json")
    assert (result.exit_code, result.stdout) == (0, "[]\n")
    assert result.stderr == "Settings are read from local.settings.json.\n"


def test_the_note_is_there_once_however_often_a_command_asks_storage(unconnected: CommandLine, storage: str) -> None:
    """A deletion looks first, asks, and then deletes."""
    write_values(unconnected.folder, {"GATEWAY_TABLES": storage})
    unconnected("apply", "-f", "-", stdin="kind: Product\nname: starter\n")
    result = unconnected.at_a_terminal()("products", "delete", "starter", stdin="y\n")
    assert result.exit_code == 0, result.output
    assert result.stderr.count("Settings are read from local.settings.json.") == 1


@pytest.mark.parametrize("name", ["GATEWAY_TABLES", "AzureWebJobsStorage"])
def test_the_environment_wins_over_local_settings(tmp_path: Path, name: str) -> None:
    """If it names the tables, the file is not even read."""
    (tmp_path / "local.settings.json").write_text("not JSON")
    settings, _ = Surroundings({name: "https://from-environment"}, tmp_path, False).settings(None)
    assert settings.tables == "https://from-environment"
    settings, _ = Surroundings({}, tmp_path, False).settings("https://from-option")
    assert settings.tables == "https://from-option"


def test_other_settings_of_the_environment_win_too(tmp_path: Path) -> None:
    """Unless they are empty; values that are not text are left out, as the Functions tools do."""
    write_values(tmp_path, {"GATEWAY_TABLES": "https://file", "GATEWAY_LOG_LEVEL": "ERROR", "A": "file", "B": 1})
    surroundings = Surroundings({"GATEWAY_TABLES": " ", "GATEWAY_LOG_LEVEL": "DEBUG"}, tmp_path, False)
    settings, environment = surroundings.settings(None)
    assert (settings.tables, settings.log_level) == ("https://file", "DEBUG")
    assert (environment.get("A"), environment.get("B")) == ("file", None)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", "cannot be read as JSON"),
        (b"\xff", "cannot be read as JSON"),
        (b"[]", 'has no object "Values"'),
        (b'{"Values": "text"}', 'has no object "Values"'),
        (b'{"IsEncrypted": true, "Values": {}}', "is encrypted"),
    ],
)
def test_local_settings_that_cannot_be_used_are_explained(tmp_path: Path, content: bytes, problem: str) -> None:
    """As wrong settings, naming the file."""
    (tmp_path / "local.settings.json").write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"local.settings.json: {problem}"):
        Surroundings({}, tmp_path, False).settings(None)


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    (tmp_path / "local.settings.json").write_bytes(b'\xef\xbb\xbf{"Values": {"GATEWAY_TABLES": "https://file"}}')
    assert Surroundings({}, tmp_path, False).settings(None)[0].tables == "https://file"
