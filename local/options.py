"""What `make run` takes from its command line; make hands it over in the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

HIGHEST_PORT = 65_535
STAND_IN_MODEL = "stand-in"
# The stand-in asks for a key as real models do; every local call shows that the gateway sends it.
STAND_IN_KEY = "stand-in-key"


class RunFailed(Exception):
    """`make run` cannot go on; the message is one sentence with the remedy."""


@dataclass(frozen=True)
class RunOptions:
    """PORT, and for a real model instead of the stand-in MODEL_URL, MODEL_KEY and MODEL (the name to ask for)."""

    port: int
    model_url: str | None
    model_key: str | None
    model: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> RunOptions:
        """Read the options; raise RunFailed for one that cannot be used."""
        model_url = environment.get("MODEL_URL", "").strip() or None
        model_key = environment.get("MODEL_KEY", "").strip() or None
        if model_key and not model_url:
            raise RunFailed("MODEL_KEY is set without MODEL_URL: give both, or neither for the stand-in model.")
        if model_url:
            _check_model(model_url, model_key)
        usual_model = "gpt-4o-mini" if model_url else STAND_IN_MODEL
        return cls(
            port=_port(environment.get("PORT", "").strip() or "7071"),
            model_url=model_url,
            model_key=model_key if model_url else STAND_IN_KEY,
            model=environment.get("MODEL", "").strip() or usual_model,
        )


def _check_model(url: str, key: str | None) -> None:
    from gateway.catalog import fields  # loads much that a start with the stand-in does not need here

    name = "MODEL_URL"
    try:
        fields.check_url(url)
        name = "MODEL_KEY"
        if key:
            fields.check_secret_text(key)
    except ValueError as error:
        # Neither is repeated: some people put a password into the URL.
        example = "`make run MODEL_URL=https://api.openai.com/v1 MODEL_KEY=...`"
        raise RunFailed(f"{name} {error}; for example {example}.") from None


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= HIGHEST_PORT:
        raise RunFailed(f"PORT is {text!r}: give a number from 1 to {HIGHEST_PORT}, for example `make run PORT=7072`.")
    return int(text)
