"""Which protocol a request speaks, told by its path."""

from __future__ import annotations

from urllib.parse import unquote

from gateway.llm.operations import Operation
from gateway.llm.tokens import Protocol

OPENAI = {
    protocol.value: protocol
    for protocol in (
        Protocol.CHAT,
        Protocol.COMPLETIONS,
        Protocol.EMBEDDINGS,
        Protocol.RESPONSES,
        Protocol.IMAGES,
    )
}
GEMINI_METHODS = ("generateContent", "streamGenerateContent")
BEDROCK_ACTIONS = ("converse", "converse-stream")


def openai_protocol(operation: Operation) -> Protocol | None:
    """Of an operation of an OpenAI API; None for those whose bodies are not counted."""
    return OPENAI.get(operation.name) if operation.parsed else None


def passthrough_protocol(path: str) -> tuple[Protocol, str | None] | None:
    """The protocol of a POST to this raw path, and the model where the path names it; None if it is none we know."""
    segments = ["", *path.strip("/").split("/")]
    before, last = unquote(segments[-2]), unquote(segments[-1])
    model, _, method = last.rpartition(":")
    if method in GEMINI_METHODS and model:
        return Protocol.GEMINI, model
    if last in BEDROCK_ACTIONS:
        return Protocol.BEDROCK, before or None
    if last == Protocol.ANTHROPIC.value:
        return Protocol.ANTHROPIC, None
    protocol = Protocol.CHAT if (before, last) == ("chat", "completions") else OPENAI.get(last)
    return (protocol, None) if protocol is not None else None
