"""The command line as tests use it: in this process, with an environment and a folder of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from gateway.management.cli.root import cli
from gateway.management.cli.surroundings import Surroundings

# Not a secret: 32 zero bytes in URL-safe base64.
SECRET_KEY = "A" * 43 + "="


@dataclass(frozen=True)
class CommandLine:
    """Runs commands. `folder` is where they run."""

    environment: Mapping[str, str]
    folder: Path
    can_ask: bool = False

    def __call__(self, *arguments: str, stdin: str | bytes = "") -> Result:
        """Run one command; an exception that no code of ours turned into words fails the test."""
        surroundings = Surroundings(self.environment, self.folder, self.can_ask)
        return CliRunner().invoke(cli, arguments, input=stdin, obj=surroundings)

    def json(self, *arguments: str, stdin: str | bytes = "") -> Any:
        """Run one command that must succeed, with --json; stdout must be one JSON document."""
        result = self(*arguments, "--json", stdin=stdin)
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    def at_a_terminal(self) -> CommandLine:
        """The same, with somebody there to answer."""
        return replace(self, can_ask=True)

    def with_settings(self, **settings: str) -> CommandLine:
        """The same, with other settings."""
        return replace(self, environment={**self.environment, **settings})

    def file(self, name: str, text: str) -> str:
        """Write a file into the folder; its name."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return name
