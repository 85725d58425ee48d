"""What `make run` takes from its command line; make hands it over in the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
        usual_model = "gpt-4o-mini" if model_url else STAND_IN_MODEL
        return cls(
            port=_port(environment.get("PORT", "").strip() or "7071"),
            model_url=model_url,
            model_key=model_key if model_url else STAND_IN_KEY,
            model=environment.get("MODEL", "").strip() or usual_model,
        )


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65_535:
        raise RunFailed(f"PORT is {text!r}: give a number from 1 to 65535, for example `make run PORT=7072`.")
    return int(text)
