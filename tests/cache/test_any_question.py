"""Of any two requests: who is apart from whom, told a second way."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cache.question import Bypass, Question
from tests.cache.asked import ANTHROPIC, CHAT, COMPLETIONS, RESPONSES, asked, picture, text

PROTOCOLS = (CHAT, COMPLETIONS, RESPONSES, ANTHROPIC)

# Few values that are near to each other, so that two requests are often the same and often nearly so; and some that
# could end a value early, if values were joined by anything.
NEAR = ["", "a", "b", "a b", 'a","b', "a|b", "a\0b", "[]", "null", "1"]
LEAVES = st.sampled_from([*NEAR, 0, 1, 2, 1.0, 0.5, -0.0, 1e16, 10**16, True, False, None])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
)
SHAPING = ["temperature", "top_p", "tools", "tool_choice", "response_format", "n", "seed", "stop", "max_tokens", "mood"]
INERT = ["stream", "stream_options", "user", "metadata", "safety_identifier", "service_tier", "prompt_cache_key"]

FIELDS = st.dictionaries(st.sampled_from([*SHAPING, *INERT]), VALUES, max_size=3)
PLACES = st.fixed_dictionaries(
    {
        "api": st.sampled_from(NEAR),
        "model": st.sampled_from([*NEAR, None]),
        "vary": st.lists(st.sampled_from(NEAR), max_size=2),
        "space": st.sampled_from(NEAR),
        "fields": FIELDS,
    }
)


def told(value: Any) -> str:
    """One text for all values that are equal, in which true is not 1."""
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name!r}: {told(value[name])}' for name in sorted(value))}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(told, value))}]"
    return repr(value)


@settings(deadline=None, max_examples=500)
@given(PLACES, PLACES, st.sampled_from(["api", "model", "vary", "space", "fields", "several"]))
def test_requests_share_a_scope_only_if_all_that_matters_is_equal(
    place: dict[str, Any], elsewhere: dict[str, Any], differs: str
) -> None:
    """Whom answers are kept apart for, API, model, space of embeddings, and every field not known to be inert."""
    elsewhere = elsewhere if differs == "several" else {**place, differs: elsewhere[differs]}
    one, two = asked_there(**place), asked_there(**elsewhere)
    assert (one.scope == two.scope) == (matters(**place) == matters(**elsewhere))
    assert (one.context, one.exact) == (two.context, two.exact)


def asked_there(fields: dict[str, Any], **where: Any) -> Question:
    return asked({**fields, "messages": [{"role": "user", "content": "Hello"}]}, **where)


def matters(fields: dict[str, Any], **where: Any) -> str:
    return told([where, {name: value for name, value in fields.items() if name in SHAPING}])


TEXTS = st.sampled_from(["", "a", "b", "a b", "A", 'a","b', "\0a"])
ROLES = st.sampled_from(["user", "assistant", "system", "developer", "tool"])
MEDIA = st.builds(picture, st.sampled_from(["x", "y", "\0x", "A" * 1_100, "A" * 1_101])) | st.builds(
    lambda found: {"type": "tool_result", "content": found}, VALUES
)
# Two parts at least: one alone is the same as its text, which another test shows.
PARTS = st.lists(st.builds(text, TEXTS) | MEDIA, min_size=2, max_size=3)
CONTENTS = TEXTS | PARTS | st.none()
EXTRA = st.dictionaries(st.sampled_from(["name", "tool_calls", "tool_call_id"]), VALUES, max_size=1)
MESSAGES = st.builds(lambda role, content, extra: {"role": role, "content": content, **extra}, ROLES, CONTENTS, EXTRA)
ASKED = st.builds(
    lambda content, extra: {"role": "user", "content": content, **extra},
    TEXTS | st.lists(st.builds(text, TEXTS)),
    EXTRA,
)
CONVERSATIONS = st.tuples(st.none() | TEXTS, st.lists(MESSAGES, max_size=2), ASKED | MESSAGES)


def strictly(value: Any) -> str:
    """One text for each value, in which 1.0 is not 1."""
    return json.dumps(value, sort_keys=True)


def conversation(given: tuple[Any, list[Any], dict[str, Any]]) -> dict[str, Any]:
    system, earlier, last = given
    return {"messages": [*earlier, last], **({} if system is None else {"system": system})}


def but_for_the_text(given: tuple[Any, list[Any], dict[str, Any]]) -> str:
    """The whole conversation, without the text of the user's last message if it is text alone."""
    system, earlier, last = given
    content = last["content"]
    parts = content if isinstance(content, list) else [text(content)] if isinstance(content, str) else None
    if last["role"] == "user" and parts is not None and all(part["type"] == "text" for part in parts):
        last = {name: value for name, value in last.items() if name != "content"}
    return strictly([system, earlier, last])


@settings(deadline=None, max_examples=500)
@given(CONVERSATIONS, CONVERSATIONS, st.booleans(), st.booleans())
def test_requests_share_a_context_only_if_all_but_the_last_text_is_equal(
    first: tuple[Any, list[Any], Any], second: tuple[Any, list[Any], Any], same_before: bool, same_last: bool
) -> None:
    """Whoever may be compared by meaning has the very same conversation behind it; and equal ones do share it."""
    second = (
        first[0] if same_before else second[0],
        first[1] if same_before else second[1],
        first[2] if same_last else second[2],
    )
    one, two = asked(conversation(first), ANTHROPIC), asked(conversation(second), ANTHROPIC)
    same = but_for_the_text(first) == but_for_the_text(second)
    assert one.scope == two.scope
    if one.by_meaning and two.by_meaning:
        assert (one.context == two.context) == same
    assert one.exact != two.exact or (one.text == two.text and one.by_meaning == two.by_meaning)
    if not same:
        assert one.exact != two.exact


@settings(deadline=None, max_examples=300)
@given(CONVERSATIONS, st.sampled_from(PROTOCOLS), st.booleans())
def test_the_text_alone_is_compared_by_meaning(given: tuple[Any, list[Any], Any], protocol: Any, ignore: bool) -> None:
    """What is compared is never empty, and asking again gives the same."""
    said = conversation(given)["messages"]
    document = {"prompt": given[2]["content"]} if protocol is COMPLETIONS else {"messages": said}
    document = {"input": said} if protocol is RESPONSES else document
    question = asked(document, protocol, ignore=ignore)
    assert bool(question.text) or not question.by_meaning
    assert question == asked(json.loads(json.dumps(document)), protocol, ignore=ignore)


NAMES = ["messages", "prompt", "input", "system", "instructions", "tools", "role", "content", "type", "text", "stream"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["user", "text"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*NAMES, "stream_options", "cache_control", "id", "\ud83d"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(deadline=None, max_examples=300)
@given(document=st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=5), ignore=st.booleans())
def test_any_document_can_be_asked(protocol: Any, document: dict[str, Any], ignore: bool) -> None:
    """Whatever a caller sends, it is a question or passes by."""
    with suppress(Bypass):
        assert len(asked(document, protocol, ignore=ignore, most=3).scope) == 64
