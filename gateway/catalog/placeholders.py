"""`{{name}}` stands for a named value, `{{env:NAME}}` for an app setting."""

from __future__ import annotations

import re
from collections.abc import Mapping

PLACEHOLDER = re.compile(
    r"\{\{\s*(?:env:(?P<setting>[A-Za-z0-9_]+)|(?P<name>[a-z0-9](?:[a-z0-9-]{0,78}[a-z0-9])?))\s*\}\}"
)


class Unresolved(Exception):
    """A placeholder stands for nothing. The message names it and holds no secret."""


def check_placeholders(text: str) -> None:
    """Raise ValueError if braces are left over that are no placeholder."""
    rest = PLACEHOLDER.sub("", text)
    if "{{" in rest or "}}" in rest:
        raise ValueError(
            "has a placeholder that is neither {{name-of-a-named-value}} nor {{env:NAME_OF_AN_APP_SETTING}}"
        )


def placeholders(text: str) -> list[str]:
    """What stands between the braces, in order: `openai-key` or `env:OPENAI_KEY`."""
    return [found["name"] or f"env:{found['setting']}" for found in PLACEHOLDER.finditer(text)]


def named_values_in(text: str) -> list[str]:
    """The names of the named values that a text uses."""
    return [found["name"] for found in PLACEHOLDER.finditer(text) if found["name"]]


def setting_in(text: str) -> str | None:
    """The app setting that the whole text stands for, if it is exactly one `{{env:NAME}}`."""
    found = PLACEHOLDER.fullmatch(text)
    return found["setting"] if found else None


def resolve(text: str, named_values: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """The text with every placeholder replaced; raise Unresolved for one that stands for nothing.

    What is put in is not searched for placeholders again: a secret may contain braces.
    """

    def value_of(found: re.Match[str]) -> str:
        if found["setting"]:
            return read_setting(found["setting"], environment)
        if found["name"] not in named_values:
            raise Unresolved(f"the named value {found['name']} is missing or cannot be read")
        return named_values[found["name"]]

    return PLACEHOLDER.sub(value_of, text)


def read_setting(name: str, environment: Mapping[str, str]) -> str:
    """An app setting; raise Unresolved if it is not set or empty, for an empty credential is never meant."""
    value = environment.get(name, "").strip()
    if not value:
        raise Unresolved(f"the app setting {name} is not set")
    return value
