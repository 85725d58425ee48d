"""Gives a stored answer to a caller: as if it had just been made, but for what it cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from gateway.cache.answers.stored import StoredAnswer
from gateway.cache.answers.telling.anthropic import tell_message
from gateway.cache.answers.telling.chat import tell_chat
from gateway.cache.answers.telling.chunks import tell_chunks
from gateway.cache.answers.telling.completions import tell_completion
from gateway.cache.answers.telling.fresh import Fresh
from gateway.cache.answers.telling.responses import tell_response
from gateway.cache.answers.template import ID_PREFIXES
from gateway.llm.tokens import Protocol

Document = Mapping[str, Any]
# Gives ASCII letters and digits that it has never given before.
NewId = Callable[[], str]


def whole(answer: StoredAnswer, now: float, new_id: NewId) -> bytes:
    """The object, for a caller that does not stream. `now` is in seconds since 1970. Usage is the original's."""
    return answer.template.filled(ID_PREFIXES[answer.protocol] + new_id(), int(now))


def events(answer: StoredAnswer, now: float, new_id: NewId, wants_usage: bool) -> list[bytes]:
    """The stream, event by event, for a caller that streams. `wants_usage` matters where it is asked for: in chunks."""
    fresh = Fresh(ID_PREFIXES[answer.protocol] + new_id(), int(now), wants_usage)
    return list(TELLERS[answer.protocol](answer.document, fresh))


def _chat(document: Document, fresh: Fresh) -> Iterator[bytes]:
    return tell_chunks(document, fresh, "chat.completion.chunk", tell_chat)


def _completion(document: Document, fresh: Fresh) -> Iterator[bytes]:
    return tell_chunks(document, fresh, "text_completion", tell_completion)


TELLERS: Mapping[Protocol, Callable[[Document, Fresh], Iterator[bytes]]] = MappingProxyType(
    {
        Protocol.CHAT: _chat,
        Protocol.COMPLETIONS: _completion,
        Protocol.RESPONSES: tell_response,
        Protocol.ANTHROPIC: tell_message,
    }
)
