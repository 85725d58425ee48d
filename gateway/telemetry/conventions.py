"""What OpenTelemetry's conventions for generative AI call an operation and a provider."""

from __future__ import annotations

from types import MappingProxyType
from urllib.parse import urlsplit

from gateway.call import Call
from gateway.catalog.snapshot import ApiEntry
from gateway.llm.model_names import shown_model
from gateway.llm.protocols import passthrough_protocol
from gateway.llm.tokens import Protocol

OPERATIONS = MappingProxyType(
    {
        "chat/completions": "chat",
        "responses": "chat",
        "completions": "text_completion",
        "embeddings": "embeddings",
        "images/generations": "generate_content",
        "images/edits": "generate_content",
        "images/variations": "generate_content",
        "audio/speech": "generate_content",
        "audio/transcriptions": "generate_content",
        "audio/translations": "generate_content",
    }
)

PROTOCOLS = MappingProxyType(
    {
        Protocol.CHAT: "chat",
        Protocol.RESPONSES: "chat",
        Protocol.ANTHROPIC: "chat",
        Protocol.BEDROCK: "chat",
        Protocol.COMPLETIONS: "text_completion",
        Protocol.EMBEDDINGS: "embeddings",
        Protocol.GEMINI: "generate_content",
        Protocol.IMAGES: "generate_content",
    }
)

# How the names of hosts end.
PROVIDERS = (
    (".openai.azure.com", "azure.ai.openai"),
    (".cognitiveservices.azure.com", "azure.ai.openai"),
    (".services.ai.azure.com", "azure.ai.inference"),
    (".models.ai.azure.com", "azure.ai.inference"),
    (".openai.com", "openai"),
    (".anthropic.com", "anthropic"),
    (".generativelanguage.googleapis.com", "gcp.gemini"),
    ("aiplatform.googleapis.com", "gcp.vertex_ai"),
    (".amazonaws.com", "aws.bedrock"),
    (".mistral.ai", "mistral_ai"),
    (".groq.com", "groq"),
    (".deepseek.com", "deepseek"),
    (".cohere.com", "cohere"),
    (".cohere.ai", "cohere"),
    (".x.ai", "x_ai"),
    (".perplexity.ai", "perplexity"),
)


def operation_and_model(call: Call) -> tuple[str, str | None] | None:
    """`gen_ai.operation.name` and `gen_ai.request.model`; None for what asks no model, as reading a stored response."""
    operation = call.operation
    if operation is None:
        return None
    if operation.name == call.method:
        # A passthrough API's operations are named after their methods.
        found = passthrough_protocol(call.rest) if call.method == "POST" else None
        return (PROTOCOLS[found[0]], shown_model(call) or found[1]) if found else None
    if operation.name == "responses" and not operation.parsed:
        return None
    name = OPERATIONS.get(operation.name)
    return (name, shown_model(call)) if name else None


def provider_name(entry: ApiEntry) -> str | None:
    """`gen_ai.provider.name`, told by the backend's host; else by the protocol, if the API says which it speaks."""
    host = f".{urlsplit(entry.backend.settings.url).hostname or ''}"
    for ending, name in PROVIDERS:
        if host.endswith(ending):
            return name
    return "openai" if entry.api.type == "openai" else None
