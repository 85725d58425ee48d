"""The names that OpenTelemetry's conventions for generative AI give to operations and providers."""

import pytest

from gateway.telemetry.conventions import operation_and_model, provider_name
from gateway.telemetry.instruments import REQUEST_DURATION, TIME_TO_FIRST_TOKEN, TOKEN_USAGE
from tests.telemetry.calls import catalog, finished

OPENAI = {
    "chat": ("POST", "chat/completions", "chat"),
    "chat below v1": ("POST", "v1/chat/completions", "chat"),
    "chat of a deployment": ("POST", "openai/deployments/d/chat/completions", "chat"),
    "responses": ("POST", "responses", "chat"),
    "completions": ("POST", "completions", "text_completion"),
    "embeddings": ("POST", "embeddings", "embeddings"),
    "pictures": ("POST", "images/generations", "generate_content"),
    "speech to text": ("POST", "audio/transcriptions", "generate_content"),
    "the list of models": ("GET", "models", None),
    "a stored response": ("GET", "responses/resp_1", None),
    "a response cancelled": ("POST", "responses/resp_1/cancel", None),
    "moderations": ("POST", "moderations", None),
}
PASSTHROUGH = {
    "Anthropic": ("POST", "v1/messages", "chat"),
    "Anthropic at the root": ("POST", "messages", "chat"),
    "Anthropic's token counting": ("POST", "v1/messages/count_tokens", None),
    "Gemini": ("POST", "v1beta/models/gemini-3:generateContent", "generate_content"),
    "Gemini streamed": ("POST", "v1beta/models/gemini-3:streamGenerateContent", "generate_content"),
    "Bedrock": ("POST", "model/anthropic.claude/converse", "chat"),
    "Bedrock streamed": ("POST", "model/anthropic.claude/converse-stream", "chat"),
    "Gemini's counting": ("POST", "v1beta/models/gemini-3:countTokens", None),
    "OpenAI": ("POST", "v1/chat/completions", "chat"),
    "OpenAI's completions": ("POST", "v1/completions", "text_completion"),
    "reading": ("GET", "v1/messages", None),
    "something else": ("POST", "v1/files", None),
}
PROVIDERS = {
    "https://name.openai.azure.com": "azure.ai.openai",
    "https://name.cognitiveservices.azure.com/openai": "azure.ai.openai",
    "https://name.services.ai.azure.com/models": "azure.ai.inference",
    "https://api.openai.com/v1": "openai",
    "https://API.ANTHROPIC.COM": "anthropic",
    "https://generativelanguage.googleapis.com": "gcp.gemini",
    "https://europe-west1-aiplatform.googleapis.com": "gcp.vertex_ai",
    "https://bedrock-runtime.eu-west-1.amazonaws.com": "aws.bedrock",
    "https://api.mistral.ai/v1": "mistral_ai",
    "https://not-openai.com.example": None,
    "http://127.0.0.1:8000": None,
}


@pytest.mark.parametrize(("method", "rest", "expected"), OPENAI.values(), ids=OPENAI.keys())
def test_operations_of_openai(method: str, rest: str, expected: str | None) -> None:
    """What asks a model something has one of the conventions' names, and nothing else has one."""
    found = operation_and_model(finished(catalog(""), rest, method=method).call)
    assert found == (expected and (expected, "gpt-4o"))


@pytest.mark.parametrize(("method", "rest", "expected"), PASSTHROUGH.values(), ids=PASSTHROUGH.keys())
def test_operations_behind_passthrough(method: str, rest: str, expected: str | None) -> None:
    """There the path tells."""
    found = operation_and_model(finished(catalog("", type="passthrough"), rest, method=method).call)
    assert found == (expected and (expected, "gpt-4o"))


MODELS = {
    "in the body": ("openai", "chat/completions", "gpt-4o", "gpt-4o"),
    "a deployment": ("openai", "openai/deployments/d-1/chat/completions", None, "d-1"),
    "in Gemini's path": ("passthrough", "v1beta/models/gemini-3:generateContent", None, "gemini-3"),
    "in Bedrock's path": ("passthrough", "model/anthropic.claude%3A0/converse", None, "anthropic.claude:0"),
    "nowhere": ("passthrough", "v1/messages", None, None),
}


@pytest.mark.parametrize(("type", "rest", "model", "expected"), MODELS.values(), ids=MODELS.keys())
def test_models(type: str, rest: str, model: str | None, expected: str | None) -> None:
    """As the request names it, wherever that is."""
    found = operation_and_model(finished(catalog("", type=type), rest, model=model).call)
    assert found is not None
    assert found[1] == expected


@pytest.mark.parametrize(("url", "expected"), PROVIDERS.items())
def test_providers(url: str, expected: str | None) -> None:
    """The backend's host tells; else an API of type openai speaks OpenAI's protocol, and of others nothing is known."""
    assert provider_name(catalog(url=url, api="", type="passthrough").apis["models"]) == expected
    assert provider_name(catalog(url=url, api="").apis["models"]) == (expected or "openai")


def test_boundaries_are_the_conventions() -> None:
    """Word for word from the page that `instruments.py` names."""
    assert TOKEN_USAGE.boundaries == (
        *(1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864),
    )
    assert REQUEST_DURATION.boundaries == (
        *(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
    )
    assert TIME_TO_FIRST_TOKEN.boundaries == (
        *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    )
