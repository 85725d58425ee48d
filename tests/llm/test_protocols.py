"""Requests are recognised by their paths."""

import pytest

from gateway.llm.operations import openai_operation
from gateway.llm.protocols import openai_protocol, passthrough_protocol
from gateway.llm.tokens import Protocol

# From each maker's reference of its API.
PATHS: dict[str, tuple[Protocol, str | None] | None] = {
    "v1/chat/completions": (Protocol.CHAT, None),
    "openai/deployments/x/chat/completions": (Protocol.CHAT, None),
    "completions": (Protocol.COMPLETIONS, None),
    "v1/embeddings": (Protocol.EMBEDDINGS, None),
    "openai/v1/responses": (Protocol.RESPONSES, None),
    "v1/messages": (Protocol.ANTHROPIC, None),
    "messages/": (Protocol.ANTHROPIC, None),
    "v1beta/models/gemini-2.5-flash:generateContent": (Protocol.GEMINI, "gemini-2.5-flash"),
    "v1beta/models/gemini-2.5-flash%3AstreamGenerateContent": (Protocol.GEMINI, "gemini-2.5-flash"),
    "model/us.amazon.nova-lite-v1%3A0/converse": (Protocol.BEDROCK, "us.amazon.nova-lite-v1:0"),
    "model/arn%3Aaws%3Abedrock%2Fx/converse-stream": (Protocol.BEDROCK, "arn:aws:bedrock/x"),
    "converse": (Protocol.BEDROCK, None),
    "v1/messages/count_tokens": None,
    "v1beta/models/gemini-2.5-flash:countTokens": None,
    ":generateContent": None,
    "v1/responses/resp_1": None,
    "model/x/invoke": None,
    "mychat/mycompletions": None,
    "": None,
}


@pytest.mark.parametrize(("path", "found"), PATHS.items())
def test_a_path_of_a_passthrough_api(path: str, found: tuple[Protocol, str | None] | None) -> None:
    """The protocol, and the model where the path names it."""
    assert passthrough_protocol(path) == found


OPERATIONS = {
    ("POST", "chat/completions"): Protocol.CHAT,
    ("POST", "openai/deployments/x/embeddings"): Protocol.EMBEDDINGS,
    ("POST", "v1/responses"): Protocol.RESPONSES,
    ("GET", "responses/resp_1"): None,
    ("POST", "responses/resp_1/cancel"): None,
    ("POST", "images/generations"): Protocol.IMAGES,
    ("POST", "moderations"): None,
    ("GET", "models"): None,
}


@pytest.mark.parametrize(("request_line", "found"), OPERATIONS.items())
def test_an_operation_of_an_openai_api(request_line: tuple[str, str], found: Protocol | None) -> None:
    """Those whose prompts we know how to count."""
    assert openai_protocol(openai_operation(*request_line)) is found
