"""`list`, `show` and `delete`."""

import asyncio

import pytest

from gateway.settings import Settings
from gateway.storage.tables import Put, Tables
from tests.management.cli.command_line import CommandLine

CATALOG = """
kind: NamedValue
name: model-key
value: sk-very-secret
---
kind: NamedValue
name: region
secret: false
value: westeurope
---
kind: NamedValue
name: from-setting
value: "{{env:MODEL_KEY}}"
---
kind: Backend
name: model
url: https://model.example/v1
credentials: {header: api-key, value: "{{model-key}}"}
---
kind: Product
name: starter
displayName: Starter
state: published
---
kind: Api
name: openai
displayName: OpenAI
path: openai
type: openai
backend: model
products: [starter]
---
kind: Subscription
name: demo
scope: /products/starter
expirationDate: 2031-02-03
"""

ROWS = {
    "apis": [["openai", "OpenAI", "/openai", "openai", "model", "starter", "yes"]],
    "products": [["starter", "Starter", "published", "yes", "no"]],
    "backends": [["model", "-", "https://model.example/v1", "header"]],
    "named-values": [
        ["from-setting", "-", "yes", "{{env:MODEL_KEY}}"],
        ["model-key", "-", "yes", "(hidden)"],
        ["region", "-", "no", "westeurope"],
    ],
}


@pytest.fixture
def filled(gateway: CommandLine) -> CommandLine:
    """The command line on a small catalog."""
    gateway.file("catalog.yaml", CATALOG)
    assert gateway("apply", "-f", "catalog.yaml").exit_code == 0
    return gateway


@pytest.mark.parametrize("group", list(ROWS))
def test_list_prints_a_row_for_each(filled: CommandLine, group: str) -> None:
    """Plain aligned columns where no terminal is, without secrets."""
    titles, *rows = filled(group, "list").stdout.splitlines()
    assert titles.startswith("NAME ")
    assert [row.split() for row in rows] == ROWS[group]


def test_subscriptions_are_listed_with_the_built_in_one(filled: CommandLine) -> None:
    """Name, scope, state and dates."""
    rows = [line.split() for line in filled("subscriptions", "list").stdout.splitlines()[1:]]
    assert rows[0] == ["demo", "-", "/products/starter", "active", "-", "2031-02-03T00:00:00Z"]
    assert rows[1][0] == "master"


def test_list_as_json_is_a_list_of_documents(filled: CommandLine) -> None:
    """Each as it would be written in a file."""
    assert filled.json("products", "list") == [
        {"kind": "Product", "name": "starter", "displayName": "Starter", "state": "published"}
    ]


def test_an_empty_list_says_so_beside_stdout(gateway: CommandLine) -> None:
    """Nothing on stdout, for pipes; a sentence for people; an empty list for programs."""
    result = gateway("backends", "list")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "There are no backends.\n")
    assert gateway.json("backends", "list") == []


def test_show_prints_fields_with_their_paths(filled: CommandLine) -> None:
    """A row for each field, in the words of the documents."""
    lines = filled("backends", "show", "model").stdout.splitlines()
    assert [line.split(maxsplit=1) for line in lines] == [
        ["FIELD", "VALUE"],
        ["kind", "Backend"],
        ["name", "model"],
        ["url", "https://model.example/v1"],
        ["credentials.header", "api-key"],
        ["credentials.value", "{{model-key}}"],
    ]


def test_show_as_json_can_be_applied_again(filled: CommandLine) -> None:
    """It is the document."""
    shown = filled("apis", "show", "openai", "--json").stdout
    assert filled.json("apply", "-f", "-", stdin=shown)["unchanged"] == ["Api openai"]


def test_no_command_shows_a_secret(filled: CommandLine) -> None:
    """Neither in tables nor as JSON."""
    for command in ("list", "show model-key", "list --json", "show model-key --json"):
        result = filled("named-values", *command.split())
        assert result.exit_code == 0
        assert "sk-very-secret" not in result.output


def test_gateway_show_has_the_defaults(gateway: CommandLine) -> None:
    """All of these values are in force, written or not."""
    shown = gateway.json("gateway", "show")
    assert (shown["name"], shown["maxRequestBytes"], shown["timeouts"]["firstByte"]) == ("gateway", 20 * 2**20, 120)
    gateway("apply", "-f", "-", stdin="kind: Gateway\ntimeouts: {firstByte: 7}\n")
    assert ["timeouts.firstByte", "7"] in [line.split() for line in gateway("gateway", "show").stdout.splitlines()]


@pytest.mark.parametrize("group", ["apis", "products", "subscriptions", "named-values", "backends"])
def test_what_is_not_there_is_said_to_be_missing(gateway: CommandLine, group: str) -> None:
    """Exit code 1 and one line, for showing and for deleting."""
    for command in (("show", "none"), ("delete", "none", "--yes")):
        result = gateway(group, *command)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.endswith(" none: does not exist\n")


def test_what_is_still_used_is_not_deleted(filled: CommandLine) -> None:
    """The refusal lists who uses it."""
    result = filled("products", "delete", "starter", "--yes")
    assert result.exit_code == 1
    assert result.stderr == "Product starter: is still used by Api openai, Subscription demo\n"
    assert filled("backends", "delete", "model", "-y").stderr == "Backend model: is still used by Api openai\n"
    assert filled("named-values", "delete", "model-key", "-y").exit_code == 1


def test_what_nobody_uses_is_deleted(filled: CommandLine) -> None:
    """In words, or as JSON."""
    assert filled("subscriptions", "delete", "demo", "--yes").stdout == "Subscription demo is deleted.\n"
    assert filled.json("apis", "delete", "openai", "--yes") == {"deleted": {"kind": "Api", "name": "openai"}}
    assert filled.json("apis", "list") == []


def test_delete_refuses_when_nobody_can_confirm(filled: CommandLine) -> None:
    """A sentence, exit code 1, and it is still there."""
    result = filled("apis", "delete", "openai")
    assert result.exit_code == 1
    assert result.stderr == "Nobody is here to confirm that Api openai may be deleted; give --yes if it may.\n"
    assert len(filled.json("apis", "list")) == 1


def test_delete_asks_at_a_terminal(filled: CommandLine) -> None:
    """Only `y` deletes; what is not there is said at once."""
    person = filled.at_a_terminal()
    assert person("apis", "delete", "none", stdin="y\n").stderr == "Api none: does not exist\n"
    declined = person("apis", "delete", "openai", stdin="n\n")
    assert (declined.exit_code, len(person.json("apis", "list"))) == (1, 1)
    agreed = person("apis", "delete", "openai", stdin="y\n")
    assert (agreed.exit_code, person.json("apis", "list")) == (0, [])


def break_subscription(storage: str, name: str) -> None:
    """Give its row a state that does not exist."""

    async def write() -> None:
        tables = Tables(Settings(tables=storage))
        table = tables.table("gatewaysubscriptions")
        await table.put(Put({**(await table.get("subscription", name)).values, "state": "paused"}))
        await tables.aclose()

    asyncio.run(write())


def test_a_broken_subscription_is_named_and_can_be_deleted(filled: CommandLine, storage: str) -> None:
    """Export and deletions that depend on it are refused with exit code 1 until it is gone; nothing is on stdout."""
    break_subscription(storage, "demo")
    result = filled("export")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Subscription demo: its stored state is 'paused'\n")
    result = filled("apis", "delete", "openai", "--yes")
    assert (result.exit_code, result.stderr) == (
        1,
        "Api openai: may be used by Subscription demo, which cannot be read; delete or mend that first\n",
    )
    result = filled.at_a_terminal()("subscriptions", "delete", "demo", stdin="y\n")
    assert (result.exit_code, result.stdout) == (0, "Subscription demo is deleted.\n")
    assert result.stderr.startswith("Subscription demo: its stored state is 'paused'\nDelete Subscription demo? ")
    assert filled("export").exit_code == 0


def test_the_built_in_subscription_stays(gateway: CommandLine) -> None:
    """It can only be suspended."""
    result = gateway("subscriptions", "delete", "master", "--yes")
    assert result.exit_code == 1
    assert "cannot be deleted" in result.stderr
