"""Which requests are the same question: pairs of them, in each protocol."""

from __future__ import annotations

from typing import Any

import pytest

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

HELLO = user("Hello there")
LONG = "data:image/png;base64," + "iVBORw0KGgo" * 200
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
OTHER_TOOL = {"type": "function", "function": {"name": "g", "parameters": {"type": "object"}}}
MARKED = {"cache_control": {"type": "ephemeral"}}


def responses(given: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "m", "input": given, **fields}


def claude(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 9, "messages": list(messages), **fields}


def completions(prompt: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "m", "prompt": prompt, **fields}


Pair = tuple[Protocol, dict[str, Any], dict[str, Any]]

# Equal in everything: one answers for the other without an embedding.
SAME: dict[str, Pair] = {
    "white space": (CHAT, chat(HELLO), chat(user(" \n\tHello there \r\n"))),
    "the ends of lines": (CHAT, chat(user("a\nb")), chat(user("a\r\nb"))),
    "two ways to write an accent": (CHAT, chat(user("caf\u00e9")), chat(user("cafe\u0301"))),
    "one text part": (CHAT, chat(HELLO), chat(user([text("Hello there")]))),
    "several text parts": (CHAT, chat(user("Hello\nthere")), chat(user([text("Hello"), text("there")]))),
    "an earlier text part": (
        CHAT,
        chat(user("a"), assistant("b"), HELLO),
        chat(user([text("a")]), assistant("b"), HELLO),
    ),
    "earlier white space": (CHAT, chat(system(" Be nice. "), HELLO), chat(system("Be nice."), HELLO)),
    "the order of fields": (CHAT, chat(HELLO, seed=1, top_p=0.5), {"top_p": 0.5, "seed": 1, **chat(HELLO)}),
    "1 and 1.0": (CHAT, chat(HELLO, temperature=1), chat(HELLO, temperature=1.0)),
    "0 and -0.0": (CHAT, chat(HELLO, temperature=0), chat(HELLO, temperature=-0.0)),
    "a large number": (CHAT, chat(HELLO, seed=10**16), chat(HELLO, seed=1e16)),
    "a number far within": (CHAT, chat(HELLO, x={"y": [1]}), chat(HELLO, x={"y": [1.0]})),
    "a stream": (CHAT, chat(HELLO), chat(HELLO, stream=True, stream_options={"include_usage": True})),
    "who asks": (CHAT, chat(HELLO, user="a", safety_identifier="b"), chat(HELLO, user="c", metadata={"d": "e"})),
    "how fast it goes": (CHAT, chat(HELLO, service_tier="flex"), chat(HELLO, service_tier="auto")),
    "the backend's cache": (CHAT, chat(HELLO), chat(HELLO, prompt_cache_key="k", prompt_cache_retention="24h")),
    "ids": (CHAT, chat(HELLO, request_id="1"), chat(HELLO, request_id="2")),
    "not to be stored": (CHAT, chat(HELLO), chat(HELLO, store=False)),
    "a mark on a message": (CHAT, chat(HELLO), chat({**HELLO, **MARKED})),
    "a mark on a tool": (CHAT, chat(HELLO, tools=[TOOL]), chat(HELLO, tools=[{**TOOL, **MARKED}])),
    "the same picture": (CHAT, chat(user([text("a"), picture(LONG)])), chat(user([text(" a"), picture(LONG)]))),
    "one prompt": (COMPLETIONS, completions("Hello there"), completions(["Hello there "])),
    "a text and a message": (RESPONSES, responses("Hello there"), responses([HELLO])),
    "an input text": (
        RESPONSES,
        responses([HELLO]),
        responses([user([{"type": "input_text", "text": "Hello there"}])]),
    ),
    "nothing before": (RESPONSES, responses("a"), responses("a", previous_response_id=None, background=False)),
    "a marked system text": (ANTHROPIC, claude(HELLO, system="Be."), claude(HELLO, system=[text("Be.", **MARKED)])),
    "a marked text": (ANTHROPIC, claude(HELLO), claude(user([text("Hello there", **MARKED)]), **MARKED)),
    "a marked tool": (ANTHROPIC, claude(HELLO, tools=[{"name": "f"}]), claude(HELLO, tools=[{"name": "f", **MARKED}])),
}

# The same conversation before it, another text: compared by meaning.
SAME_CONTEXT: dict[str, Pair] = {
    "another text": (CHAT, chat(HELLO), chat(user("Good evening"))),
    "case": (CHAT, chat(HELLO), chat(user("hello there"))),
    "indentation": (CHAT, chat(user("if x:\n  a()\nb()")), chat(user("if x:\n  a()\n  b()"))),
    "after a conversation": (CHAT, chat(user("a"), assistant("b"), HELLO), chat(user("a"), assistant("b"), user("c"))),
    "another prompt": (COMPLETIONS, completions("a"), completions("b")),
    "another input": (RESPONSES, responses("a", instructions="i"), responses([user("b")], instructions="i")),
    "to Claude": (ANTHROPIC, claude(user("a"), system="s"), claude(user([text("b")]), system="s")),
}

# The same parameters, another conversation.
OTHER_CONTEXT: dict[str, Pair] = {
    "another system message": (CHAT, chat(system("a"), HELLO), chat(system("b"), HELLO)),
    "no system message": (CHAT, chat(system("a"), HELLO), chat(HELLO)),
    "another role for it": (CHAT, chat(system("a"), HELLO), chat(system("a", "developer"), HELLO)),
    "case before": (CHAT, chat(system("a"), HELLO), chat(system("A"), HELLO)),
    "another order": (CHAT, chat(user("a"), user("b"), HELLO), chat(user("b"), user("a"), HELLO)),
    "two messages in one": (CHAT, chat(user("a b"), HELLO), chat(user("a"), user("b"), HELLO)),
    "another speaker": (CHAT, chat(user("a"), HELLO), chat(assistant("a"), HELLO)),
    "a name": (CHAT, chat(HELLO), chat({**HELLO, "name": "Ann"})),
    "a tool's call": (
        CHAT,
        chat(user("a"), assistant(None, tool_calls=[CALL]), HELLO),
        chat(user("a"), assistant(None, tool_calls=[{**CALL, "function": {"name": "f", "arguments": "{1}"}}]), HELLO),
    ),
    "a tool's result": (
        CHAT,
        chat(user("a"), {"role": "tool", "tool_call_id": "c1", "content": "1"}, HELLO),
        chat(user("a"), {"role": "tool", "tool_call_id": "c1", "content": "2"}, HELLO),
    ),
    "an earlier picture": (CHAT, chat(user([picture("a")]), HELLO), chat(user([picture("b")]), HELLO)),
    "an earlier long picture": (CHAT, chat(user([picture(LONG)]), HELLO), chat(user([picture(LONG + "A")]), HELLO)),
    "another field of a text": (CHAT, chat(user([text("a")])), chat(user([text("a", detail="x")]))),
    "instructions": (RESPONSES, responses("a", instructions="i"), responses("a", instructions="j")),
    "the output of a function": (
        RESPONSES,
        responses([{"type": "function_call_output", "call_id": "c", "output": "1"}, HELLO]),
        responses([{"type": "function_call_output", "call_id": "c", "output": "2"}, HELLO]),
    ),
    "Claude's system text": (ANTHROPIC, claude(HELLO, system="a"), claude(HELLO, system="b")),
    "Claude's thoughts": (
        ANTHROPIC,
        claude(user("a"), assistant([{"type": "thinking", "thinking": "x"}]), HELLO),
        claude(user("a"), assistant([{"type": "thinking", "thinking": "y"}]), HELLO),
    ),
}

OTHER_SCOPE: dict[str, Pair] = {
    "another temperature": (CHAT, chat(HELLO, temperature=0.1), chat(HELLO, temperature=0.2)),
    "no temperature": (CHAT, chat(HELLO, temperature=1), chat(HELLO)),
    "true and 1": (CHAT, chat(HELLO, logprobs=True), chat(HELLO, logprobs=1)),
    "text and a number": (CHAT, chat(HELLO, seed=1), chat(HELLO, seed="1")),
    "null and nothing": (CHAT, chat(HELLO, unknown=None), chat(HELLO)),
    "several answers": (CHAT, chat(HELLO), chat(HELLO, n=2)),
    "the order of stop": (CHAT, chat(HELLO, stop=["a", "b"]), chat(HELLO, stop=["b", "a"])),
    "the order of tools": (CHAT, chat(HELLO, tools=[TOOL, OTHER_TOOL]), chat(HELLO, tools=[OTHER_TOOL, TOOL])),
    "no tools": (CHAT, chat(HELLO), chat(HELLO, tools=[TOOL])),
    "a property named as the mark": (
        CHAT,
        chat(HELLO, tools=[TOOL]),
        chat(HELLO, tools=[{**TOOL, "function": {**TOOL["function"], **MARKED}}]),  # type: ignore[dict-item]
    ),
    "an unknown field": (CHAT, chat(HELLO, mood="a"), chat(HELLO, mood="b")),
    "a session": (CHAT, chat(HELLO, session_id="a"), chat(HELLO, session_id="b")),
    "the model in the body": (CHAT, chat(HELLO), {**chat(HELLO), "model": "n"}),
    "large numbers": (CHAT, chat(HELLO, seed=2**53), chat(HELLO, seed=2**53 + 1)),
    "what comes after": (COMPLETIONS, completions("a", suffix="b"), completions("a", suffix="c")),
    "reasoning": (RESPONSES, responses("a", reasoning={"effort": "low"}), responses("a", reasoning={"effort": "high"})),
    "Claude's length": (ANTHROPIC, claude(HELLO), {**claude(HELLO), "max_tokens": 10}),
    "messages where there are none": (COMPLETIONS, completions("a"), completions("a", messages=[])),
}


@pytest.mark.parametrize(("protocol", "first", "second"), SAME.values(), ids=SAME.keys())
def test_the_same_question(protocol: Protocol, first: dict[str, Any], second: dict[str, Any]) -> None:
    """Scope, context and exact hash are the same."""
    one, two = asked(first, protocol), asked(second, protocol)
    assert (one.scope, one.context, one.exact, one.text) == (two.scope, two.context, two.exact, two.text)


@pytest.mark.parametrize(("protocol", "first", "second"), SAME_CONTEXT.values(), ids=SAME_CONTEXT.keys())
def test_the_same_context(protocol: Protocol, first: dict[str, Any], second: dict[str, Any]) -> None:
    """Only the last text is another: both may be compared by meaning."""
    one, two = asked(first, protocol), asked(second, protocol)
    assert (one.scope, one.context) == (two.scope, two.context)
    assert one.exact != two.exact
    assert one.by_meaning
    assert two.by_meaning


@pytest.mark.parametrize(("protocol", "first", "second"), OTHER_CONTEXT.values(), ids=OTHER_CONTEXT.keys())
def test_another_context(protocol: Protocol, first: dict[str, Any], second: dict[str, Any]) -> None:
    """The same text in another conversation is another question."""
    one, two = asked(first, protocol), asked(second, protocol)
    assert (one.scope, one.text) == (two.scope, two.text)
    assert one.context != two.context
    assert one.exact != two.exact


@pytest.mark.parametrize(("protocol", "first", "second"), OTHER_SCOPE.values(), ids=OTHER_SCOPE.keys())
def test_another_scope(protocol: Protocol, first: dict[str, Any], second: dict[str, Any]) -> None:
    """What shapes the answer parts them."""
    assert asked(first, protocol).scope != asked(second, protocol).scope


PLACES: dict[str, dict[str, Any]] = {
    "API": {"api": "other"},
    "model": {"model": "n"},
    "no model": {"model": None},
    "caller": {"vary": ["subscription:other"]},
    "no caller": {"vary": []},
    "caller in two": {"vary": ["subscription:", "team"]},
    "embeddings": {"space": "small/256"},
    "treatment of system messages": {"ignore": True},
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_the_same_request_elsewhere(place: dict[str, Any]) -> None:
    """Another API, model, caller or space of embeddings is another scope; the question itself stays the same."""
    here, there = asked(chat(HELLO)), asked(chat(HELLO), **place)
    assert here.scope != there.scope
    assert (here.context, here.exact) == (there.context, there.exact)
    assert len(here.scope) == 64
    assert (len(here.context), len(here.exact)) == (16, 16)


def test_no_list_of_values_can_pass_for_another() -> None:
    """Whatever could join them stands in one of them."""
    joined = [f"a{joint}b" for joint in ("", " ", ",", "|", "+", "\0", "\n", '","', "\\", ":", "/")]
    lists = [[], [""], ["", ""], ["a"], ["a", ""], ["", "a"], ["a", "b"], ["b", "a"], *([text] for text in joined)]
    assert len({asked(chat(HELLO), vary=values).scope for values in lists}) == len(lists)


def test_protocols_are_apart() -> None:
    """An answer in one is none in another."""
    assert asked(chat(HELLO), CHAT).scope != asked(chat(HELLO), ANTHROPIC).scope


IGNORED: dict[str, Pair] = {
    "of chat": (CHAT, chat(system("a"), HELLO, system("b", "developer")), chat(HELLO)),
    "of responses": (RESPONSES, responses([system("a"), HELLO], instructions="i"), responses("Hello there")),
    "of Claude": (ANTHROPIC, claude(HELLO, system="a"), claude(HELLO)),
}


@pytest.mark.parametrize(("protocol", "first", "second"), IGNORED.values(), ids=IGNORED.keys())
def test_system_messages_can_be_left_out(protocol: Protocol, first: dict[str, Any], second: dict[str, Any]) -> None:
    """Wherever they stand."""
    one, two = asked(first, protocol, ignore=True), asked(second, protocol, ignore=True)
    assert one == two
    assert one.by_meaning


def test_system_messages_alone_are_never_left_out() -> None:
    """Everything of the kind would be the same question."""
    one, two = asked(chat(system("a")), ignore=True), asked(chat(system("b")), ignore=True)
    assert one.exact != two.exact
