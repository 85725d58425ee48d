"""Where a command runs: its environment, its folder, and whether a person is there to be asked."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from gateway.errors import ConfigurationError
from gateway.settings import Settings

TABLES_SETTINGS = ("GATEWAY_TABLES", "AzureWebJobsStorage")
LOCAL_SETTINGS = "local.settings.json"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Handed to click as its `obj`; tests hand in their own."""

    environment: Mapping[str, str]
    directory: Path
    can_ask: bool

    @classmethod
    def of_process(cls) -> Surroundings:
        """This process's own. Questions need a terminal to type the answers into."""
        return cls(os.environ, Path.cwd(), sys.stdin is not None and sys.stdin.isatty())

    def settings(self, tables: str | None) -> tuple[Settings, Mapping[str, str]]:
        """The settings, and the environment they came from: `tables` wins over the environment.

        If neither names the tables, `Values` of ./local.settings.json stand in, as for the Functions tools.
        Raises ConfigurationError.
        """
        environment = self.environment
        if tables:
            environment = {**environment, TABLES_SETTINGS[0]: tables}
        elif not any(environment.get(name, "").strip() for name in TABLES_SETTINGS):
            environment = {**self._local_values(), **{name: text for name, text in environment.items() if text.strip()}}
        return Settings.from_environment(environment), environment

    def _local_values(self) -> dict[str, str]:
        file = self.directory / LOCAL_SETTINGS
        if not file.is_file():
            return {}
        values = _values_of(file)
        click.echo(f"Settings are read from {LOCAL_SETTINGS}.", err=True)
        return values


def _values_of(file: Path) -> dict[str, str]:
    try:
        content: Any = json.loads(file.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ConfigurationError([f"{LOCAL_SETTINGS}: cannot be read as JSON ({type(error).__name__})"]) from error
    if not isinstance(content, dict) or not isinstance(content.get("Values"), dict):
        raise ConfigurationError([f'{LOCAL_SETTINGS}: has no object "Values"'])
    if content.get("IsEncrypted") is True:
        raise ConfigurationError([f"{LOCAL_SETTINGS}: is encrypted; decrypt it with `func settings decrypt`"])
    return {name: text for name, text in content["Values"].items() if isinstance(text, str)}
