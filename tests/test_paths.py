"""What may be forwarded, and what may not."""

import pytest

from gateway.errors import CallerError
from gateway.paths import check_path

SAFE = {
    "plain": "/openai/chat/completions",
    "root": "/",
    "encoded slash in a model name": "/bedrock/model/us.amazon.nova%2Flite/converse",
    "encoded colon in a model name": "/bedrock/model/anthropic.claude-3%3A0/invoke",
    "dots inside a segment": "/v1/models/gpt-4.1-mini",
    "three dots are a name": "/files/...",
    "a dot file": "/files/.hidden",
    "percent sign, encoded": "/files/100%25",
    "empty segment": "/a//b",
    "other alphabets": "/files/%C3%BC",
}
UNSAFE = {
    "dot": "/openai/./chat",
    "dot dot": "/openai/../admin",
    "dot dot at the end": "/openai/..",
    "encoded dots": "/openai/%2e%2e/admin",
    "half encoded dots": "/openai/.%2E/admin",
    "encoded slash after dots": "/openai/..%2fadmin",
    "encoded twice": "/openai/%252e%252e/admin",
    "path parameter after dots": "/openai/..;x=1/admin",
    "backslash": "/openai\\admin",
    "encoded backslash": "/openai/..%5cadmin",
    "null": "/openai/%00",
    "newline": "/openai/%0d%0aX: y",
    "newline encoded twice": "/openai/%250a",
    "delete character": "/openai/%7f",
    "broken escape": "/openai/%zz",
    "escape cut short": "/openai/%2",
}


@pytest.mark.parametrize("path", SAFE.values(), ids=SAFE.keys())
def test_a_safe_path_passes(path: str) -> None:
    """Ordinary paths, and odd but harmless ones, are forwarded."""
    check_path(path)


@pytest.mark.parametrize("path", UNSAFE.values(), ids=UNSAFE.keys())
def test_an_unsafe_path_is_refused(path: str) -> None:
    """Tricks with dots, backslashes and control characters get 400, however they are written."""
    with pytest.raises(CallerError) as refused:
        check_path(path)
    assert (refused.value.status, refused.value.code) == (400, "InvalidPath")
