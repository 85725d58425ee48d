"""What goes wrong becomes sentences and exit codes, never a traceback."""

import logging

import click
import pytest
from click.testing import CliRunner, Result

from gateway.errors import CatalogError, ConfigurationError, Fault, StorageUnavailable
from gateway.management.cli.failures import Refused, RootGroup
from gateway.management.cli.options import shared_options
from tests.management.cli.command_line import CommandLine

CASES = {
    "catalog": (CatalogError([Fault("Api a", "is wrong"), Fault("Api b", "too")]), 1, "Api a: is wrong\nApi b: too\n"),
    "refused": (Refused("Not like this."), 1, "Not like this.\n"),
    "configuration": (
        ConfigurationError(["GATEWAY_KEY_CACHE_SIZE: is wrong"]),
        2,
        "GATEWAY_KEY_CACHE_SIZE: is wrong\n",
    ),
    "file": (FileNotFoundError(2, "No such file or directory", "a.yaml"), 1, "a.yaml: No such file or directory\n"),
    "unforeseen": (
        KeyError("sk-very-secret"),
        1,
        "The command failed in a way nobody foresaw (KeyError); --debug shows where.\n",
    ),
    "control characters": (CatalogError([Fault("a\x1b[2J", "b\nc")]), 1, "a?[2J: b c\n"),
}


def fail(error: Exception, *arguments: str) -> Result:
    """Run a program whose only command raises this."""
    program = RootGroup("program", params=[*shared_options()])

    @program.command()
    def command() -> None:
        raise error

    return CliRunner().invoke(program, [*arguments, "command"])


@pytest.mark.parametrize("case", list(CASES))
def test_each_failure_has_its_code_and_words(case: str) -> None:
    """On stderr; nothing on stdout."""
    error, code, words = CASES[case]
    result = fail(error)
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", words)


def test_unreachable_storage_comes_with_a_remedy() -> None:
    """The sentence, then what to do."""
    result = fail(StorageUnavailable("Table Storage is away"))
    assert result.exit_code == 3
    assert result.stderr.startswith("Table Storage is away\nCheck GATEWAY_TABLES or --tables")


def test_debug_adds_the_traceback() -> None:
    """Only then."""
    result = fail(KeyError("a"), "--debug")
    assert result.exit_code == 1
    assert result.stderr.startswith("Traceback (most recent call last):")


def test_a_usage_error_is_clicks_own() -> None:
    """Exit code 2."""
    assert fail(click.UsageError("no")).exit_code == 2


def test_closed_storage_exits_with_3(unconnected: CommandLine) -> None:
    """Nothing listens on port 1; the account's key is not repeated."""
    connection = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=c2VjcmV0;TableEndpoint=http://127.0.0.1:1/a;"
    result = unconnected("apis", "list", "--tables", connection)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "127.0.0.1:1" in result.stderr
    assert "c2VjcmV0" not in result.stderr


def test_no_settings_exit_with_2(unconnected: CommandLine) -> None:
    """Every fault of the settings, and what else may be done."""
    result = unconnected.with_settings(GATEWAY_KEY_CACHE_SIZE="many")("apis", "list")
    assert result.exit_code == 2
    lines = [line.split(":")[0] for line in result.stderr.splitlines()]
    assert lines[:2] == ["GATEWAY_TABLES", "GATEWAY_KEY_CACHE_SIZE"]
    assert "--tables" in result.stderr


def test_commands_leave_the_log_of_tests_alone(gateway: CommandLine) -> None:
    """Only the real program sets up logging; inside another process that would be its owner's business."""
    before = list(logging.getLogger().handlers)
    gateway("apis", "list")
    assert logging.getLogger().handlers == before
