"""Questions for tests, asked the way the policy asks them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.cache.question import Question, ask
from gateway.llm.tokens import Protocol

CHAT, COMPLETIONS = Protocol.CHAT, Protocol.COMPLETIONS
RESPONSES, ANTHROPIC = Protocol.RESPONSES, Protocol.ANTHROPIC


def asked(
    document: Any,
    protocol: Protocol = CHAT,
    *,
    api: str = "openai",
    model: str | None = "m",
    vary: Sequence[str] = ("subscription:team",),
    space: str = "small/512",
    ignore: bool = False,
    most: int | None = None,
) -> Question:
    """What the request asks, with what the tests do not care about filled in."""
    return ask(
        document,
        protocol,
        api=api,
        model=model,
        vary=vary,
        space=space,
        ignore_system_messages=ignore,
        max_message_count=most,
    )


def user(content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **fields}


def assistant(content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **fields}


def system(content: Any, role: str = "system") -> dict[str, Any]:
    return {"role": role, "content": content}


def chat(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": list(messages), **fields}


def text(said: str, **fields: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **fields}


def picture(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}
