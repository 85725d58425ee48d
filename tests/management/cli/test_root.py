"""All commands together: each is documented, each explains itself, and what the documents show can be typed."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gateway.management.cli.options import PROGRAM
from gateway.management.cli.root import cli

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs/cli.md").read_text()


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below a group that is not a group itself, with its words."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = {" ".join(path): command for path, command in commands(cli)}


def examples(text: str) -> list[list[str]]:
    """The words behind `python -m gateway` of every example in a text; what the shell itself reads is left out."""
    found = re.findall(rf"{PROGRAM} ((?:[^`\n\\]|\\\n?)*)", text)
    return [shlex.split(re.sub(r"\\\n| < \S+", "", line)) for line in found]


def parse(words: list[str]) -> click.Context:
    """Read a command line as click does, without running it; raise click's UsageError if it is wrong."""
    context, command = click.Context(cli), cli
    assert isinstance(command, click.Command)
    while isinstance(command, click.Group):
        name, *words = words
        found = command.get_command(context, name)
        assert found is not None, name
        command = found
    return command.make_context(command.name, list(words))


def test_every_command_of_the_issue_is_there() -> None:
    """No more and no fewer than those written down here."""
    kinds = ["apis", "products", "subscriptions", "named-values", "backends"]
    expected = {f"{kind} {verb}" for kind in kinds for verb in ("list", "show", "delete")}
    expected |= {
        f"subscriptions {verb}" for verb in ("create", "regenerate", "suspend", "activate", "cancel", "reject")
    }
    expected |= {"import", "apply", "check", "export", "gateway show", "named-values set", "secret-key"}
    expected |= {"usage", "limits show", "limits reset", "cache stats", "cache show", "cache purge", "cache explain"}
    expected |= {"safety test", "doctor"}
    expected |= {f"safety blocklists {verb}" for verb in ("list", "create", "add", "remove", "delete")}
    assert set(COMMANDS) == expected


@pytest.mark.parametrize("path", list(COMMANDS))
def test_every_command_is_documented_with_an_example(path: str) -> None:
    """docs/cli.md shows each."""
    assert re.search(rf"{PROGRAM} {path}( |`|$)", DOCUMENT, re.MULTILINE)


def test_every_example_of_the_document_is_a_command_line() -> None:
    """click reads each without a complaint."""
    found = examples(DOCUMENT)
    assert len(found) >= len(COMMANDS)
    for words in found:
        assert parse(words)


@pytest.mark.parametrize("path", list(COMMANDS))
def test_every_command_explains_itself(path: str) -> None:
    """--help says what it does, has --json, and ends with examples of this very command, as they are typed."""
    result = CliRunner().invoke(cli, [*path.split(), "--help"])
    assert result.exit_code == 0
    assert "--json" in result.stdout
    shown = examples(result.stdout.partition("Examples:\n")[2])
    assert len(shown) >= 2
    for words in shown:
        assert " ".join(words).startswith(path)
        assert parse(words)


def test_the_program_explains_itself() -> None:
    """With all its commands and examples; without arguments too."""
    result = CliRunner().invoke(cli, ["--help"])
    assert result.exit_code == 0
    for name in cli.commands:
        assert f"\n  {name} " in result.stdout
    for words in examples(result.stdout.partition("Examples:\n")[2]):
        assert parse(words)


def test_only_the_command_line_imports_click_and_rich() -> None:
    """The gateway starts without them."""
    program = (
        "import sys, gateway.app, gateway.management.service\n"
        "print([name for name in ('click', 'rich', 'gateway.management.cli') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
