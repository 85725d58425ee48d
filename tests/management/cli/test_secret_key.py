"""`secret-key`."""

from cryptography.fernet import Fernet

from tests.management.cli.command_line import CommandLine


def test_it_prints_a_usable_key(unconnected: CommandLine) -> None:
    """A new one each time; no setting is needed."""
    result = unconnected("secret-key")
    assert result.exit_code == 0
    assert Fernet(result.stdout.strip())
    assert Fernet(unconnected.json("secret-key")["secretKey"])
    assert unconnected("secret-key").stdout != result.stdout
