"""Every example that `--help` prints does what it says when it is typed."""

import asyncio
import re
import shlex
from collections.abc import Iterator

import click
import pytest

from gateway.cache.entry import Entry
from gateway.ledger.record import Record
from gateway.management.cli.options import PROGRAM
from gateway.management.cli.root import cli
from gateway.settings import Settings
from gateway.storage.cache import CacheStore
from gateway.storage.cache_rows import Kept
from gateway.storage.cache_rows import Record as CacheRecord
from gateway.storage.ledger import LedgerStore
from gateway.storage.tables import Tables
from local.content_safety import SafetyServer
from local.model import ModelServer
from tests.management.cli.command_line import CommandLine
from tests.management.cli.deployed import Deployed

API = "kind: Api\nname: openai\npath: openai\ntype: openai\nbackend: {url: 'http://model.example'}\n"
SUBSCRIPTION = "kind: Subscription\nname: team-a\nscope: /apis\n"
CATALOG = f"""
kind: NamedValue
name: openai-key
value: sk-very-secret
---
kind: Backend
name: model
url: http://model.example
---
kind: Product
name: starter
state: published
---
{API}---
{SUBSCRIPTION}"""
SAFETY = """
kind: NamedValue
name: safety-key
value: safety-key
---
kind: Backend
name: safety
url: {url}
credentials: {{header: Ocp-Apim-Subscription-Key, value: "{{{{safety-key}}}}"}}
---
{api}contentSafety: {{backend: safety, categories: {{Hate: 4}}}}
"""
ENTRY = "1763884800000-0123456789ab"
COUNTERS = ("subscription:team-a", "subscription:team-a+model:gpt-4o")
FILES = {
    "catalog.yaml": CATALOG.replace("value: sk-very-secret", "value: '{{env:OPENAI_KEY}}'"),
    "api.yaml": API,
    "other.yaml": "kind: Product\nname: other\n",
    "apis/openai.yaml": API,
    "key.txt": "sk-other\n",
}
# What has to be gone before, for the example to create it; and what a person would type.
BEFORE = {
    "import": ["apis", "delete", "openai", "--yes"],
    "subscriptions create team-a": ["subscriptions", "delete", "team-a", "--yes"],
}
TYPED = {
    "import": "OpenAI\n\nMODEL\n\n\n\n\ny\n",
    "named-values set openai-key": "sk-typed\n",
}


def help_texts(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[str]:
    """`--help` of a command and of all below it."""
    with click.Context(command, info_name=" ".join((PROGRAM, *words))) as context:
        yield command.get_help(context)
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from help_texts(below, (*words, name))


def printed_examples() -> list[str]:
    """What stands behind the program's name in every line below `Examples:`, once each."""
    found: dict[str, None] = {}
    for text in help_texts(cli):
        lines = re.sub(r"\\\n\s*", "", text.partition("Examples:\n")[2]).splitlines()
        found |= dict.fromkeys(line.strip().removeprefix(PROGRAM).strip() for line in lines if line.strip())
    return list(found)


async def keep(connection: str) -> None:
    """Have the cache hold the entry that examples name."""
    tables = Tables(Settings(tables=connection))
    entry = Entry(ENTRY, "0" * 64, b"c" * 16, b"e" * 16, b"", 1763884800.0, 4e9, "openai", "team-a")
    await CacheStore(tables).write(CacheRecord(Kept(entry), b"answer", "gpt-4o"))
    await tables.aclose()


async def count(connection: str) -> None:
    """Have the ledger know the counters that examples name."""
    tables = Tables(Settings(tables=connection))
    for key in COUNTERS:
        await LedgerStore(tables).write(key, Record().to_text(), None)
    await tables.aclose()


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    """What the URLs of examples are replaced with."""
    server = ModelServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployed]:
    """What the examples look at from outside."""
    running = Deployed()
    yield running
    running.close()


def test_the_examples_are_found() -> None:
    """Otherwise the next test would prove nothing."""
    assert len(printed_examples()) > 50
    assert "check -f catalog.yaml --offline" in printed_examples()


@pytest.mark.parametrize("example", printed_examples())
def test_an_example_does_what_it_says(
    gateway: CommandLine, model: ModelServer, safety: SafetyServer, deployed: Deployed, example: str
) -> None:
    """In a catalog with the documents that examples name, with somebody to answer, and the model for every URL."""
    for name, text in FILES.items():
        gateway.file(name, text)
    assert gateway("apply", "-f", "-", stdin=CATALOG).exit_code == 0
    if example.startswith("cache explain"):
        cached = f"semanticCache: {{embeddings: {{backend: {{url: '{model.url}'}}, model: any}}}}\n"
        assert gateway("apply", "-f", "-", stdin=API + cached).exit_code == 0
    if example.startswith("cache"):
        asyncio.run(keep(gateway.environment["GATEWAY_TABLES"]))
    if example.startswith("safety"):
        safety.blocklists.put("brand-names", "Contoso")
        assert gateway("apply", "-f", "-", stdin=SAFETY.format(url=safety.url, api=API)).exit_code == 0
    if example.startswith("limits"):
        asyncio.run(count(gateway.environment["GATEWAY_TABLES"]))
    address = model.url
    if example.startswith("doctor"):
        assert gateway("apply", "-f", "-", stdin=API.replace("http://model.example", model.url)).exit_code == 0
        address = deployed.url
    for beginning, command in BEFORE.items():
        if example.startswith(beginning):
            assert gateway(*command).exit_code == 0
    line, _, source = example.partition(" < ")
    typed = (gateway.folder / source).read_text() if source else TYPED.get(example, "y\n")
    words = [re.sub(r"https://[^/]+(/v1)?$", address, word) for word in shlex.split(line)]
    person = gateway.with_settings(OPENAI_KEY="sk-setting").at_a_terminal()
    result = person(*words, stdin=typed.replace("MODEL", model.url))
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    "example", [each for each in printed_examples() if "--offline" in each or "secret-key" in each]
)
def test_an_example_without_storage_needs_no_setting(unconnected: CommandLine, example: str) -> None:
    """It runs in any folder that has the files."""
    unconnected.file("catalog.yaml", FILES["catalog.yaml"])
    assert unconnected(*shlex.split(example)).exit_code == 0
