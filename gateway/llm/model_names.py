"""Names of models."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote

from gateway.catalog.keys import holds_key

if TYPE_CHECKING:
    from gateway.call import Call

LONGEST_SHOWN = 200


def without_provider(model: str | None) -> str:
    """`gpt-4o` for `openai/gpt-4o`, as routers of several providers write it. Empty if there is no name."""
    return (model or "").rpartition("/")[2]


def shown_model(call: Call) -> str | None:
    """The model of a call as logs and usage may show it: at most 200 characters, and never a subscription key."""
    model = call.model
    if model is None and call.operation is not None:
        model = call.operation.deployment
    if model is None:
        return None
    # Callers choose these names: what is remembered must not be of any length.
    return _known(model) if len(model) <= LONGEST_SHOWN else _shown(model)


def _shown(model: str) -> str | None:
    # A key in the wrong field is a key all the same.
    return None if holds_key(unquote(model)) else model[:LONGEST_SHOWN]


_known = lru_cache(maxsize=1_024)(_shown)
