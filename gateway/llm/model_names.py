"""Names of models."""

from __future__ import annotations


def without_provider(model: str | None) -> str:
    """`gpt-4o` for `openai/gpt-4o`, as routers of several providers write it. Empty if there is no name."""
    return (model or "").rpartition("/")[2]
