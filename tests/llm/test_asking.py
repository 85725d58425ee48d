"""Streams are asked for their usage, and requests stay what they were."""

import json

import pytest

from gateway.llm.asking import asks_for_usage, with_usage_asked_for

BODIES: dict[str, bytes] = {
    "as usual": b'{"model": "m", "stream": true, "temperature": 1.0}',
    "with white space behind": b'{"model": "m", "stream": true} \r\n',
    "empty": b"{}",
    "with options": b'{"stream": true, "stream_options": {"include_obfuscation": false}}',
    "refusing it": b'{"stream": true, "stream_options": {"include_usage": false}}',
    "with null for options": b'{"stream": true, "stream_options": null}',
    "with large numbers": b'{"seed": 123456789012345678901234567890, "stream": true}',
    "with braces in texts": b'{"stream": true, "stop": "}"}',
}


@pytest.mark.parametrize("content", BODIES.values(), ids=BODIES.keys())
def test_usage_is_asked_for(content: bytes) -> None:
    """The body says what it said, and asks."""
    document = json.loads(content)
    changed = json.loads(with_usage_asked_for(content, document))
    assert asks_for_usage(changed)
    assert not asks_for_usage(document)
    options = changed.pop("stream_options")
    assert options == {**(document.pop("stream_options", None) or {}), "include_usage": True}
    assert changed == document


def test_the_rest_of_a_body_keeps_its_spelling() -> None:
    """Backends may care how a number is written, and hash what they are sent."""
    assert with_usage_asked_for(b'{"a": 1.0}\n', {"a": 1.0}) == b'{"a": 1.0,"stream_options":{"include_usage":true}}'


def test_what_cannot_be_written_again_is_left_alone() -> None:
    """A number beyond all bounds stays what it was: then nobody is asked."""
    content = b'{"seed": 1e999, "stream_options": {}}'
    assert with_usage_asked_for(content, json.loads(content)) is content
