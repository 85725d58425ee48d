"""Subscriptions: their keys and states."""

import pytest

from gateway.catalog.keys import is_well_formed
from tests.management.cli.command_line import CommandLine

PRODUCTS = """
kind: Product
name: starter
state: published
---
kind: Product
name: guarded
state: published
approvalRequired: true
"""


@pytest.fixture
def products(gateway: CommandLine) -> CommandLine:
    """The command line on two products, one of which requires approval."""
    assert gateway("apply", "-f", "-", stdin=PRODUCTS).exit_code == 0
    return gateway


def test_create_prints_both_keys(products: CommandLine) -> None:
    """As JSON with the state; in words with the warning that they are seen only now."""
    made = products.json("subscriptions", "create", "team-a", "--scope", "/products/starter")
    assert (made["name"], made["state"]) == ("team-a", "active")
    assert is_well_formed(made["primaryKey"])
    assert is_well_formed(made["secondaryKey"])
    result = products("subscriptions", "create", "team-b", "--scope", "/apis")
    assert [line.split()[:2] for line in result.stdout.splitlines()[1:]] == [
        ["team-b", "primary"],
        ["team-b", "secondary"],
    ]
    assert "shown only now" in result.stderr


def test_create_keeps_name_and_dates(products: CommandLine) -> None:
    """Dates are midnight UTC unless they say otherwise."""
    arguments = ["--display-name", "Team A", "--start", "2030-01-01", "--expires", "2030-06-01T12:00:00+02:00"]
    products("subscriptions", "create", "team-a", "--scope", "/apis", *arguments)
    assert products.json("subscriptions", "show", "team-a") == {
        "kind": "Subscription",
        "name": "team-a",
        "displayName": "Team A",
        "scope": "/apis",
        "state": "active",
        "startDate": "2030-01-01T00:00:00Z",
        "expirationDate": "2030-06-01T10:00:00Z",
    }


def test_a_product_with_approval_makes_it_wait(products: CommandLine) -> None:
    """It starts as submitted; activating it is the approval, rejecting it the refusal."""
    made = products.json("subscriptions", "create", "team-a", "--scope", "/products/guarded")
    assert made["state"] == "submitted"
    products("subscriptions", "activate", "team-a")
    assert products.json("subscriptions", "show", "team-a")["state"] == "active"


@pytest.mark.parametrize(
    ("verb", "state"),
    [("suspend", "suspended"), ("activate", "active"), ("cancel", "cancelled"), ("reject", "rejected")],
)
def test_states_change(products: CommandLine, verb: str, state: str) -> None:
    """In words and as JSON; the built-in subscription too."""
    assert products.json("subscriptions", verb, "master") == {"name": "master", "state": state}
    assert products("subscriptions", verb, "master").stdout == f"Subscription master is {state}.\n"
    assert products.json("subscriptions", "show", "master")["state"] == state
    assert products("subscriptions", verb, "none").stderr == "Subscription none: does not exist\n"


def test_regenerate_replaces_one_key(products: CommandLine) -> None:
    """Only the new key is printed, under the name of its slot."""
    products("subscriptions", "create", "team-a", "--scope", "/apis")
    renewed = products.json("subscriptions", "regenerate", "team-a", "--slot", "secondary")
    assert set(renewed) == {"name", "secondaryKey"}
    assert is_well_formed(renewed["secondaryKey"])
    result = products("subscriptions", "regenerate", "team-a", "--slot", "primary")
    (row,) = result.stdout.splitlines()[1:]
    assert row.split()[:2] == ["team-a", "primary"]
    assert products("subscriptions", "regenerate", "none", "--slot", "primary").exit_code == 1


def test_what_cannot_be_created_is_refused(products: CommandLine) -> None:
    """A name in use, a scope that leads nowhere: 1. A scope or date that is none: 2."""
    create = ("subscriptions", "create")
    products(*create, "team-a", "--scope", "/apis")
    assert products(*create, "team-a", "--scope", "/apis").stderr == "Subscription team-a: already exists\n"
    assert "Api none does not exist" in products(*create, "team-b", "--scope", "/apis/none").stderr
    assert products(*create, "Team B", "--scope", "/apis").exit_code == 1
    assert products(*create, "team-b", "--scope", "everything").exit_code == 2
    assert products(*create, "team-b", "--scope", "/apis", "--expires", "tomorrow").exit_code == 2
    assert products(*create, "team-b").exit_code == 2
    assert products("subscriptions", "regenerate", "team-a").exit_code == 2
