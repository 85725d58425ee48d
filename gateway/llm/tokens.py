"""How many tokens a request will be charged for, before its backend says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from gateway.llm.prompts import anthropic, bedrock, gemini, openai
from gateway.llm.prompts.parts import Parts
from gateway.llm.tokenizer import Tokenizer


class Protocol(Enum):
    """How a request's body is to be read."""

    CHAT = "chat/completions"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
    RESPONSES = "responses"
    IMAGES = "images/generations"
    ANTHROPIC = "messages"
    GEMINI = "generateContent"
    BEDROCK = "converse"


# What these answer with is no generated text, or not counted in tokens of a completion.
WITHOUT_COMPLETION = (Protocol.EMBEDDINGS, Protocol.IMAGES)

# Of a longer body the bytes say too little about the prompt.
LONGEST_BOUNDED_BYTES = 64 * 1024

PROMPTS: Mapping[Protocol, Callable[[Mapping[str, Any], str | None], Parts]] = {
    Protocol.CHAT: openai.chat,
    Protocol.COMPLETIONS: openai.completions,
    Protocol.EMBEDDINGS: openai.embeddings,
    Protocol.RESPONSES: openai.responses,
    Protocol.IMAGES: openai.images,
    Protocol.ANTHROPIC: anthropic.messages,
    Protocol.GEMINI: gemini.generate_content,
    Protocol.BEDROCK: bedrock.converse,
}


def most_prompt_tokens(protocol: Protocol, document: Mapping[str, Any], content: bytes) -> int | None:
    """What the tokens of a prompt cannot exceed, found without counting them; None where that takes counting.

    That is the bytes of the body: each token of a vocabulary stands for one byte of text or more, and what the chat
    format costs is less than the JSON that says it. It holds for plain chats only: pictures cost by their size, tools
    are put before the model in a notation of their own.
    """
    if protocol is Protocol.CHAT and len(content) <= LONGEST_BOUNDED_BYTES and openai.is_plain_chat(document):
        return len(content)
    return None


async def prompt_tokens(
    tokenizer: Tokenizer, protocol: Protocol, document: Mapping[str, Any], model: str | None
) -> int:
    """The tokens of a prompt. Exact where the maker publishes how it counts, an estimate elsewhere; never an error."""
    parts = PROMPTS[protocol](document, model)
    return parts.tokens + await tokenizer.count(parts.texts, model)


def prompt_tokens_at_once(
    tokenizer: Tokenizer, protocol: Protocol, document: Mapping[str, Any], model: str | None
) -> int | None:
    """The same without waiting, as most prompts can be counted; None for a long one."""
    parts = PROMPTS[protocol](document, model)
    counted = tokenizer.count_at_once(parts.texts, model)
    return None if counted is None else parts.tokens + counted


def prompt_tokens_now(tokenizer: Tokenizer, protocol: Protocol, document: Mapping[str, Any], model: str | None) -> int:
    """The same for those who cannot wait, who answer for the document's being small."""
    parts = PROMPTS[protocol](document, model)
    return parts.tokens + tokenizer.count_now(parts.texts, model)
