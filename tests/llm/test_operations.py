"""Which paths of an OpenAI API exist."""

import pytest

from gateway.errors import CallerError
from gateway.llm.operations import openai_operation

FOUND = {
    "chat": ("POST", "chat/completions", "chat/completions", True),
    "chat with v1": ("POST", "v1/chat/completions", "chat/completions", True),
    "completions": ("POST", "completions", "completions", True),
    "embeddings": ("POST", "v1/embeddings", "embeddings", True),
    "responses": ("POST", "responses", "responses", True),
    "one response": ("GET", "v1/responses/resp_1", "responses/resp_1", False),
    "delete a response": ("DELETE", "responses/resp_1", "responses/resp_1", False),
    "models": ("GET", "models", "models", False),
    "one model": ("GET", "v1/models/gpt-4o", "models/gpt-4o", False),
    "a model with a slash": ("GET", "models/meta%2Fllama", "models/meta%2Fllama", False),
    "moderations": ("POST", "moderations", "moderations", True),
    "images": ("POST", "images/generations", "images/generations", True),
    "image edits are multipart": ("POST", "images/edits", "images/edits", False),
    "speech": ("POST", "audio/speech", "audio/speech", True),
    "transcriptions are multipart": ("POST", "audio/transcriptions", "audio/transcriptions", False),
    "azure": ("POST", "openai/deployments/d1/chat/completions", "openai/deployments/d1/chat/completions", True),
    "azure below openai": ("POST", "deployments/d1/embeddings", "openai/deployments/d1/embeddings", True),
    "azure's newer form": ("POST", "openai/v1/chat/completions", "chat/completions", True),
}
NOT_FOUND = [
    "",
    "v1",
    "v1/",
    "chat",
    "chat/completions/",
    "v2/chat/completions",
    "admin",
    "models/",
    "deployments/d1",
    "fine_tuning/jobs",
    "deployments//chat/completions",
]


@pytest.mark.parametrize(("method", "rest", "path", "parsed"), FOUND.values(), ids=FOUND.keys())
def test_operations_that_exist(method: str, rest: str, path: str, parsed: bool) -> None:
    """The operations clients use, with and without a leading v1, and Azure's form."""
    operation = openai_operation(method, rest)
    assert (operation.path, operation.parsed) == (path, parsed)


@pytest.mark.parametrize("rest", NOT_FOUND)
def test_anything_else_is_not_found(rest: str) -> None:
    """404 OperationNotFound, in API Management's words."""
    with pytest.raises(CallerError) as refused:
        openai_operation("POST", rest)
    assert (refused.value.status, refused.value.code) == (404, "OperationNotFound")


def test_a_wrong_method_says_which_are_right() -> None:
    """405 with Allow."""
    with pytest.raises(CallerError) as refused:
        openai_operation("GET", "v1/chat/completions")
    assert refused.value.status == 405
    assert refused.value.headers["allow"] == "POST"


def test_azure_deployment_is_known() -> None:
    """The deployment stands in for the model where the body names none."""
    assert openai_operation("POST", "openai/deployments/gpt/chat/completions").deployment == "gpt"
