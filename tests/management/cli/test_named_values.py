"""Named values: secrets in, none out."""

import pytest

from tests.management.cli.command_line import CommandLine

SECRET = "sk-very-secret"


def test_a_value_comes_from_standard_input(gateway: CommandLine) -> None:
    """With its line break cut off; it is not printed."""
    result = gateway("named-values", "set", "model-key", "--value", "-", stdin=f"{SECRET}\n")
    assert (result.exit_code, result.stdout.split()) == (
        0,
        ["RESULT", "DOCUMENT", "created", "NamedValue", "model-key"],
    )
    assert SECRET not in result.output
    again = gateway.json("named-values", "set", "model-key", "--value", SECRET)
    assert again["unchanged"] == ["NamedValue model-key"]


def test_a_value_is_asked_for_and_not_shown(gateway: CommandLine) -> None:
    """What is typed does not appear."""
    result = gateway.at_a_terminal()("named-values", "set", "model-key", stdin=f"{SECRET}\n")
    assert result.exit_code == 0
    assert "Value of model-key" in result.stderr
    assert SECRET not in result.output
    assert gateway.json("named-values", "set", "model-key", "--value", SECRET)["unchanged"]


def test_an_app_setting_is_referred_to(gateway: CommandLine) -> None:
    """The value itself is not read here."""
    gateway("named-values", "set", "model-key", "--env", "MODEL_KEY")
    assert gateway.json("named-values", "show", "model-key")["value"] == "{{env:MODEL_KEY}}"


def test_a_new_value_leaves_the_rest_as_it_was(gateway: CommandLine) -> None:
    """Display name, and whether it is a secret."""
    gateway("named-values", "set", "region", "--value", "westeurope", "--not-secret", "--display-name", "Region")
    assert gateway.json("named-values", "set", "region", "--value", "eastus")["updated"] == ["NamedValue region"]
    shown = gateway.json("named-values", "show", "region")
    assert (shown["displayName"], shown["secret"], shown["value"]) == ("Region", False, "eastus")


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "sentence"),
    [
        (("--value", "a", "--env", "B"), "", 2, "not both"),
        ((), "", 1, "Nobody is here to type the value"),
        (("--value", "-"), "", 1, "NamedValue model-key: value: must not be empty"),
        (("--value", "-"), b"\xff\xfe", 1, "cannot stand in a header"),
        (("--env", "not a name"), "", 1, "NamedValue model-key"),
    ],
    ids=["both", "nobody", "empty", "binary", "no setting"],
)
def test_what_is_no_value_is_refused(
    gateway: CommandLine, arguments: tuple[str, ...], stdin: str | bytes, code: int, sentence: str
) -> None:
    """With a sentence."""
    result = gateway("named-values", "set", "model-key", *arguments, stdin=stdin)
    assert result.exit_code == code
    assert sentence in result.stderr


def test_a_secret_needs_a_key_to_encrypt_it(gateway: CommandLine) -> None:
    """Without GATEWAY_SECRET_KEY it is refused, and not repeated."""
    result = gateway.with_settings(GATEWAY_SECRET_KEY="")("named-values", "set", "model-key", "--value", SECRET)
    assert result.exit_code == 1
    assert "GATEWAY_SECRET_KEY" in result.stderr
    assert SECRET not in result.output
