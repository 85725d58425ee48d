"""What may be compared by meaning, what only as it is, and what passes the cache by."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.cache.canonical import shortened
from gateway.cache.question import Bypass
from gateway.llm.tokens import Protocol
from tests.cache.asked import (
    ANTHROPIC,
    CHAT,
    COMPLETIONS,
    RESPONSES,
    asked,
    assistant,
    chat,
    picture,
    system,
    text,
    user,
)

LONG = "A" * 2_000

# Two of a kind that differ, and neither may stand for the other.
EXACT_ONLY: dict[str, tuple[Protocol, dict[str, Any], dict[str, Any]]] = {
    "a picture": (CHAT, chat(user([text("a"), picture("x")])), chat(user([text("a"), picture("y")]))),
    "a long picture": (CHAT, chat(user([text("a"), picture(LONG)])), chat(user([text("a"), picture(LONG + "B")]))),
    "a picture before the text": (
        CHAT,
        chat(user([text("a"), picture("x"), text("b")])),
        chat(user([text("a"), text("b"), picture("x")])),
    ),
    "a picture of nothing": (CHAT, chat(user([text("a"), picture("")])), chat(user("a"))),
    "audio": (
        CHAT,
        chat(user([{"type": "input_audio", "input_audio": {"data": LONG, "format": "wav"}}])),
        chat(user([{"type": "input_audio", "input_audio": {"data": LONG, "format": "mp3"}}])),
    ),
    "a file": (
        RESPONSES,
        {"input": [user([{"type": "input_file", "file_id": "f-1"}])]},
        {"input": [user([{"type": "input_file", "file_id": "f-2"}])]},
    ),
    "a document": (
        ANTHROPIC,
        {"messages": [user([{"type": "document", "source": {"type": "text", "data": "x"}}, text("a")])]},
        {"messages": [user([{"type": "document", "source": {"type": "text", "data": "y"}}, text("a")])]},
    ),
    "a tool's result": (
        ANTHROPIC,
        {"messages": [user([{"type": "tool_result", "tool_use_id": "t", "content": "1"}, text("a")])]},
        {"messages": [user([{"type": "tool_result", "tool_use_id": "t", "content": "2"}, text("a")])]},
    ),
    "the assistant's beginning": (
        ANTHROPIC,
        {"messages": [user("a"), assistant("b")]},
        {"messages": [user("a"), assistant("c")]},
    ),
    "a tool's message": (
        CHAT,
        chat(user("a"), {"role": "tool", "tool_call_id": "c", "content": "1"}),
        chat(user("b"), {"role": "tool", "tool_call_id": "c", "content": "1"}),
    ),
    "the output of a function": (
        RESPONSES,
        {"input": [user("a"), {"type": "function_call_output", "call_id": "c", "output": "1"}]},
        {"input": [user("a"), {"type": "function_call_output", "call_id": "c", "output": "2"}]},
    ),
    "a system message at the end": (CHAT, chat(user("a"), system("b")), chat(user("a"), system("c"))),
    "the same message of another": (CHAT, chat(user("a"), assistant("b")), chat(user("a"), system("b"))),
    "no text": (CHAT, chat(user("")), chat(user(None))),
    "no content": (CHAT, chat(user([])), chat({"role": "user", "content": 5})),
    "white space": (CHAT, chat(user(" \n")), chat(user("a"))),
    "an unknown part": (CHAT, chat(user(["a"])), chat(user(["b"]))),
    "several prompts": (COMPLETIONS, {"prompt": ["a", "b"]}, {"prompt": ["a", "c"]}),
    "several prompts in one": (COMPLETIONS, {"prompt": ["a", "b"]}, {"prompt": ["a b"]}),
    "numbers of tokens": (COMPLETIONS, {"prompt": [1, 2]}, {"prompt": [1, 3]}),
    "lists of numbers": (COMPLETIONS, {"prompt": [[1, 2]]}, {"prompt": [[1], [2]]}),
    "no prompt": (COMPLETIONS, {}, {"prompt": ""}),
    "an echo": (COMPLETIONS, {"prompt": "a", "echo": True}, {"prompt": "b", "echo": True}),
}


@pytest.mark.parametrize(("protocol", "first", "second"), EXACT_ONLY.values(), ids=EXACT_ONLY.keys())
def test_exact_only(protocol: Protocol, first: dict[str, Any], second: dict[str, Any]) -> None:
    """The first of each pair is never compared by meaning, and is not the same as the second."""
    one, two = asked(first, protocol), asked(second, protocol)
    assert not one.by_meaning
    assert one.exact != two.exact
    assert one == asked(first, protocol)


def test_a_text_beside_a_picture_is_still_told() -> None:
    """For whoever looks at what is kept."""
    assert asked(chat(user([text("What is"), picture("x"), text("this?")]))).text == "What is\nthis?"


def test_no_text_can_pass_for_the_hash_of_a_longer_one() -> None:
    """What stands in place of long data is written as no text is."""
    hashed = shortened(LONG)
    one, two = chat(user([picture(LONG)])), chat(user([picture(hashed)]))
    assert asked(one).exact != asked(two).exact


STREAMS: dict[str, tuple[dict[str, Any], tuple[bool, bool]]] = {
    "no stream": ({}, (False, False)),
    "an explicit no": ({"stream": False, "stream_options": {"include_usage": True}}, (False, False)),
    "a stream": ({"stream": True}, (True, False)),
    "with usage": ({"stream": True, "stream_options": {"include_usage": True}}, (True, True)),
    "without usage": ({"stream": True, "stream_options": {"include_usage": False}}, (True, False)),
    "with nonsense": ({"stream": "yes", "stream_options": 5}, (False, False)),
}


@pytest.mark.parametrize(("fields", "expected"), STREAMS.values(), ids=STREAMS.keys())
def test_how_the_answer_is_wanted(fields: dict[str, Any], expected: tuple[bool, bool]) -> None:
    """As a stream or whole, and whether with usage."""
    question = asked(chat(user("a"), **fields))
    assert (question.streams, question.wants_usage) == expected


STATEFUL: dict[str, tuple[Protocol, dict[str, Any]]] = {
    "an earlier response": (RESPONSES, {"input": "a", "previous_response_id": "resp_1"}),
    "a conversation": (RESPONSES, {"input": "a", "conversation": {"id": "conv_1"}}),
    "in the background": (RESPONSES, {"input": "a", "background": True}),
    "a stored prompt": (RESPONSES, {"prompt": {"id": "pmpt_1"}}),
    "a reference": (RESPONSES, {"input": [{"type": "item_reference", "id": "msg_1"}, user("a")]}),
    "a reference without its type": (RESPONSES, {"input": [{"id": "msg_1"}, user("a")]}),
    "to be stored": (CHAT, chat(user("a"), store=True)),
    "to be stored by another word": (CHAT, chat(user("a"), store="yes")),
    "to be stored by a number": (CHAT, chat(user("a"), store=0)),
    "a response to be stored": (RESPONSES, {"input": "a", "store": True}),
    "a container": (ANTHROPIC, {"messages": [user("a")], "container": "container_1"}),
    "servers that act": (ANTHROPIC, {"messages": [user("a")], "mcp_servers": [{"url": "https://x"}]}),
    "a server that acts": (RESPONSES, {"input": "a", "tools": [{"type": "mcp", "server_url": "https://x"}]}),
    "a tool's container": (RESPONSES, {"input": "a", "tools": [{"type": "code_interpreter", "container": "c"}]}),
}


@pytest.mark.parametrize(("protocol", "document"), STATEFUL.values(), ids=STATEFUL.keys())
def test_what_is_kept_elsewhere_passes_by(protocol: Protocol, document: dict[str, Any]) -> None:
    """The request does not say all that the answer depends on, or wants more than an answer."""
    with pytest.raises(Bypass) as passed:
        asked(document, protocol)
    assert passed.value.reason == "stateful"


def test_a_new_container_is_no_state() -> None:
    """Nothing is in it yet."""
    tool = {"type": "code_interpreter", "container": {"type": "auto"}}
    assert asked({"input": "a", "tools": [tool]}, RESPONSES).by_meaning


@pytest.mark.parametrize(
    "protocol", [each for each in Protocol if each not in (CHAT, COMPLETIONS, RESPONSES, ANTHROPIC)]
)
def test_other_operations_pass_by(protocol: Protocol) -> None:
    """Embeddings, images, and the protocols whose answers are not kept."""
    with pytest.raises(Bypass) as passed:
        asked(chat(user("a")), protocol)
    assert passed.value.reason == "operation"


COUNTED: dict[str, tuple[Protocol, dict[str, Any], int]] = {
    "system messages are none": (
        CHAT,
        chat(system("a"), system("b", "developer"), user("c"), assistant("d"), user("e")),
        3,
    ),
    "a prompt": (COMPLETIONS, {"prompt": ["a", "b"]}, 1),
    "an input": (RESPONSES, {"input": "a", "instructions": "b"}, 1),
    "items": (RESPONSES, {"input": [system("a"), user("b"), {"type": "reasoning", "id": "r"}, user("c")]}, 3),
    "Claude's": (ANTHROPIC, {"system": "a", "messages": [user("b"), assistant("c"), user("d")]}, 3),
}


@pytest.mark.parametrize("ignore", [False, True])
@pytest.mark.parametrize(("protocol", "document", "count"), COUNTED.values(), ids=COUNTED.keys())
def test_long_conversations_pass_by(protocol: Protocol, document: dict[str, Any], count: int, ignore: bool) -> None:
    """As many as allowed may be in it, and no more."""
    assert asked(document, protocol, ignore=ignore, most=count).messages == count
    if count > 1:
        with pytest.raises(Bypass) as passed:
            asked(document, protocol, ignore=ignore, most=count - 1)
        assert passed.value.reason == "too-many-messages"


def deep(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


UNREADABLE: dict[str, tuple[Protocol, Any]] = {
    "no messages": (CHAT, {"model": "m"}),
    "an empty list": (CHAT, chat()),
    "a text for messages": (CHAT, {"messages": "Hello"}),
    "a message that is none": (CHAT, chat(user("a"), "b")),
    "no input": (RESPONSES, {"model": "m"}),
    "an input of a number": (RESPONSES, {"input": 5}),
    "Claude without messages": (ANTHROPIC, {"system": "a"}),
    "half a character": (CHAT, chat(user("\ud83d"))),
    "half a character before": (CHAT, chat(system("\ud83d"), user("a"))),
    "half a character in a field": (CHAT, chat(user("a"), stop="\ud83d")),
    "half a character in a name": (CHAT, chat(user("a"), **{"\ud83d": 1})),
    "half a character in a long picture": (CHAT, chat(user([picture(LONG + "\ud83d")]))),
    "depth in a field": (CHAT, chat(user("a"), x=deep(200_000))),
    "depth in a field with whole numbers": (CHAT, chat(user("a"), x=[1.0, deep(3_000)])),
    "depth in a content": (CHAT, chat(user(deep(200_000)))),
    "depth in a part": (CHAT, chat(user([{"type": "x", "y": deep(200_000)}]))),
    "depth before": (CHAT, chat({"role": "user", "name": deep(200_000)}, user("a"))),
    "depth in a prompt": (COMPLETIONS, {"prompt": deep(200_000)}),
}


@pytest.mark.parametrize(("protocol", "document"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_read_passes_by(protocol: Protocol, document: Any) -> None:
    """The backend may say what is wrong with it; nothing else is raised."""
    with pytest.raises(Bypass) as passed:
        asked(document, protocol)
    assert passed.value.reason == "unreadable"
