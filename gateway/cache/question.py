"""Which requests are the same: what may never be mixed, what must be equal, and what is compared by meaning.

A scope is a hard partition: the API, whom answers are kept apart for, the model, and every parameter that shapes the
answer. Within it the context, which is the conversation but for the user's last text, must be equal.

Bypass.reason        what has happened
operation            the operation is none of those that are answered from the cache
stateful             the answer depends on what the backend has kept, or is to be kept by it
too-many-messages    the conversation is longer than `maxMessageCount`
unreadable           there is no conversation in it, or it nests too deeply, or has halves of characters
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from types import MappingProxyType
from typing import Any

from gateway.cache import conversations
from gateway.cache.canonical import canonical, spelled
from gateway.cache.conversations import Conversation
from gateway.cache.parameters import is_stateful, shaping
from gateway.llm.asking import asks_for_usage
from gateway.llm.tokens import Protocol

# Another number whenever what is hashed changes its meaning: what was kept before is not found any more.
EDITION = 2

HASH_BYTES = 16
NOTHING = bytes(HASH_BYTES)

READERS: Mapping[Protocol, Callable[[Mapping[str, Any], bool], Conversation]] = MappingProxyType(
    {
        Protocol.CHAT: conversations.chat,
        Protocol.COMPLETIONS: conversations.completions,
        Protocol.RESPONSES: conversations.responses,
        Protocol.ANTHROPIC: conversations.anthropic,
    }
)


@dataclass(frozen=True, slots=True)
class Question:
    """What one request asks, as far as the cache is concerned.

    `scope` is 64 hexadecimal digits; `context` and `exact` are 16 bytes. `text` is the user's last text, normalised:
    what is compared by meaning, and only where `by_meaning` is true. `exact` is the same for the same context, text and
    media. `wants_usage`: the caller of a stream asks for the event with the usage.
    """

    scope: str
    context: bytes
    text: str
    exact: bytes
    by_meaning: bool
    streams: bool
    wants_usage: bool
    messages: int


class Bypass(Exception):
    """The cache has no part in this request; `reason` is one of the module's list, for the header x-cache."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def ask(
    document: Mapping[str, Any],
    protocol: Protocol,
    *,
    api: str,
    model: str | None,
    vary: Sequence[str],
    space: str,
    ignore_system_messages: bool,
    max_message_count: int | None,
) -> Question:
    """What a request's JSON asks. `vary` has the caller's values of `varyBy`; `space` names the embeddings.

    Raises Bypass, and nothing else whatever the JSON is. Takes time with the length of the document, about 10 ms a MB.
    """
    if protocol not in READERS:
        raise Bypass("operation")
    place = (EDITION, api, vary, protocol.value, model, space, ignore_system_messages)
    try:
        if is_stateful(document, protocol):
            raise Bypass("stateful")
        conversation = READERS[protocol](document, ignore_system_messages)
        if max_message_count is not None and conversation.messages > max_message_count:
            raise Bypass("too-many-messages")
        scope = sha256(canonical([*place, shaping(document, protocol)])).hexdigest()
        return _question(document, scope, conversation)
    except (ValueError, RecursionError):
        raise Bypass("unreadable") from None


def _question(document: Mapping[str, Any], scope: str, conversation: Conversation) -> Question:
    context = _hash(spelled(conversation.before))
    rest = NOTHING if conversation.rest is None else _hash(spelled(conversation.rest))
    streams = document.get("stream") is True
    return Question(
        scope=scope,
        context=context,
        text=conversation.text,
        exact=_hash(context + rest + conversation.text.encode()),
        by_meaning=conversation.by_meaning,
        streams=streams,
        wants_usage=streams and asks_for_usage(document),
        messages=conversation.messages,
    )


def _hash(content: bytes) -> bytes:
    return blake2b(content, digest_size=HASH_BYTES).digest()
