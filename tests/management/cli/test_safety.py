"""`safety blocklists`, against the stand-in."""

from __future__ import annotations

import pytest

from local.content_safety import SafetyServer
from tests.management.cli.command_line import CommandLine

SERVICE = """
kind: NamedValue
name: safety-key
value: safety-key
---
kind: Backend
name: safety
url: {url}
credentials: {{header: Ocp-Apim-Subscription-Key, value: "{{{{safety-key}}}}"}}
---
kind: Product
name: starter
state: published
---
kind: Api
name: openai
path: openai
type: openai
products: [starter]
backend: {{url: "http://model.example"}}
contentSafety: {{backend: safety, shieldPrompt: true, categories: {{Hate: 4, Violence: 4}}, blocklists: [brands]}}
---
kind: Api
name: free
path: free
type: openai
products: [starter]
backend: {{url: "http://model.example"}}
"""


@pytest.fixture
def connected(gateway: CommandLine, safety: SafetyServer) -> CommandLine:
    """A catalog in which the Backend safety is the stand-in, which has one blocklist."""
    safety.blocklists.put("brands", "Contoso")
    assert gateway("apply", "-f", "-", stdin=SERVICE.format(url=safety.url)).exit_code == 0
    return gateway


def test_blocklists_from_creation_to_deletion(connected: CommandLine) -> None:
    """Each command once, as JSON."""
    lists = ("safety", "blocklists")
    on = ("--api", "openai")
    connected.json(*lists, "create", "names", *on, "--description", "Of others")
    assert [one["text"] for one in connected.json(*lists, "add", "names", "Fabrikam", "Tailspin", *on)] == [
        "Fabrikam",
        "Tailspin",
    ]
    assert connected.json(*lists, "list", *on) == [
        {"name": "brands", "description": None},
        {"name": "names", "description": "Of others"},
    ]
    connected.json(*lists, "remove", "names", "Fabrikam", *on)
    assert [one["text"] for one in connected.json(*lists, "list", "names", *on)] == ["Tailspin"]
    connected.json(*lists, "delete", "names", *on, "--yes")
    assert [one["name"] for one in connected.json(*lists, "list", *on)] == ["brands"]


def test_blocklists_for_people(connected: CommandLine) -> None:
    """Tables and sentences."""
    assert "Contoso" in connected("safety", "blocklists", "list", "brands", "--backend", "safety").stdout
    assert connected("safety", "blocklists", "add", "brands", "Tailspin", "--backend", "safety").stdout == (
        "1 text is on brands.\n"
    )
    result = connected("safety", "blocklists", "delete", "brands", "--backend", "safety", stdin="n\n")
    assert result.exit_code == 1
    connected("safety", "blocklists", "delete", "brands", "--backend", "safety", stdin="y\n")
    result = connected("safety", "blocklists", "list", "--api", "openai")
    assert (result.exit_code, result.stderr.strip()) == (0, "There are no blocklists.")


NO_SERVICE = {
    "no backend of that name": (["--backend", "none"], "backend none: does not exist here"),
    "no API of that name": (["--api", "none"], "Api none: does not exist"),
    "no contentSafety": (["--api", "free"], "Api free: has no contentSafety"),
    "another backend": (["--api", "openai", "--backend", "none"], "backend none: does not exist here"),
}


@pytest.mark.parametrize("case", NO_SERVICE)
def test_where_there_is_no_service(connected: CommandLine, case: str) -> None:
    """Said in words, with exit code 1."""
    options, told = NO_SERVICE[case]
    result = connected("safety", "blocklists", "list", *options)
    assert result.exit_code == 1
    assert told in result.stderr


def test_a_service_must_be_named(connected: CommandLine) -> None:
    """By an API or by its Backend; anything else is wrong usage."""
    assert connected("safety", "blocklists", "list").exit_code == 2
    assert connected.json("safety", "blocklists", "list", "--backend", "safety")[0]["name"] == "brands"


def test_a_service_that_refuses(connected: CommandLine, safety: SafetyServer) -> None:
    """In its words, with exit code 1, and without the key."""
    result = connected("safety", "blocklists", "add", "none", "Contoso", "--api", "openai")
    assert (result.exit_code, result.stderr.strip()) == (
        1,
        "backend safety: answers 404: The blocklist none does not exist.",
    )
    safety.fail(status=401)
    result = connected("safety", "blocklists", "list", "--api", "openai")
    assert "refuses the credential" in result.stderr
    assert "safety-key" not in result.stderr
