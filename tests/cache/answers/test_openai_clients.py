"""What the official client reads of a stored answer, whole and as a stream, from a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from openai import OpenAI

from gateway.cache.answers import replay
from gateway.llm.tokens import Protocol
from tests.backends.raw_server import Peer, RawServer
from tests.cache.answers.samples import NEW, NOW, SAMPLES, lasting, stored, told

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
USER: list[Any] = [{"role": "user", "content": "Hi"}]

# The client's helper for streams fails on these, whoever sends them, and takes a choice's own fields from its first
# chunk, where nobody can know them yet.
UNKNOWN_TO_THE_HELPER = ("chat, a custom tool", "chat, fields of others")

CHATS = [name for name, (protocol, _) in SAMPLES.items() if protocol is Protocol.CHAT]
COMPLETIONS = [name for name, (protocol, _) in SAMPLES.items() if protocol is Protocol.COMPLETIONS]
RESPONSES = [name for name, (protocol, _) in SAMPLES.items() if protocol is Protocol.RESPONSES]


@contextmanager
def answered(pieces: Sequence[bytes], kind: bytes = b"text/event-stream") -> Iterator[OpenAI]:
    """A client whose server answers with these pieces."""

    async def script(peer: Peer) -> None:
        await peer.answer(HEAD % kind)
        for piece in pieces:
            await peer.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        await peer.send(b"0\r\n\r\n")

    with RawServer(script) as server, OpenAI(base_url=server.url, api_key="any", max_retries=0) as client:
        yield client


def whole(name: str) -> list[bytes]:
    """What a caller gets who does not stream."""
    return [replay.whole(stored(name), NOW, lambda: NEW)]


def said(value: Any) -> Any:
    """Without nulls and empty lists, with which the client fills what was not said."""
    if isinstance(value, dict):
        parts = {
            name: said(part) for name, part in value.items() if name not in ("index", "parsed", "parsed_arguments")
        }
        return {name: part for name, part in parts.items() if part not in (None, [], {})}
    return [said(part) for part in value] if isinstance(value, list) else value


def same(read: Any, name: str) -> bool:
    """Whether what the client has read is the stored document, with a new id."""
    document = read.to_dict()
    assert NEW in document["id"]
    assert said(lasting(document)) == said(lasting(SAMPLES[name][1]))
    return True


@pytest.mark.parametrize("name", CHATS)
def test_chat(name: str) -> None:
    """The object."""
    with answered(whole(name), b"application/json") as client:
        assert same(client.chat.completions.create(model="any", messages=USER), name)


@pytest.mark.parametrize("name", [name for name in CHATS if name not in UNKNOWN_TO_THE_HELPER])
def test_chat_streams(name: str) -> None:
    """What the client's own helper makes of it."""
    with answered(told(stored(name))) as client, client.chat.completions.stream(model="any", messages=USER) as stream:
        assert same(stream.get_final_completion(), name)


@pytest.mark.parametrize("name", CHATS)
def test_chat_chunks(name: str) -> None:
    """Each of the right kind with the same new id; the choices begin with a role, and the usage is the last."""
    with answered(told(stored(name))) as client:
        chunks = list(client.chat.completions.create(model="any", messages=USER, stream=True))
    assert {(chunk.id, chunk.created, chunk.object) for chunk in chunks} == {
        (f"chatcmpl-{NEW}", int(NOW), "chat.completion.chunk")
    }
    choices = [chunk.choices[0] for chunk in chunks[:-1]]
    for index, choice in enumerate(SAMPLES[name][1]["choices"]):
        own = [piece for piece in choices if piece.index == index]
        assert own[0].delta.role == "assistant"
        assert "".join(piece.delta.content or "" for piece in own) == (choice["message"]["content"] or "")
        assert [piece.finish_reason for piece in own] == [None] * (len(own) - 1) + [choice["finish_reason"]]
    assert not chunks[-1].choices
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.to_dict() == SAMPLES[name][1]["usage"]


def test_the_usage_comes_only_if_it_is_wanted() -> None:
    """Clients that did not ask do not expect a chunk without choices, nor a usage of null."""
    with answered(told(stored("chat"), wants_usage=False)) as client:
        chunks = list(client.chat.completions.create(model="any", messages=USER, stream=True))
    assert all(chunk.choices for chunk in chunks)
    assert not any("usage" in chunk.to_dict() for chunk in chunks)


@pytest.mark.parametrize("name", COMPLETIONS)
def test_completions(name: str) -> None:
    """The object, and the stream's texts joined."""
    with answered(whole(name), b"application/json") as client:
        assert same(client.completions.create(model="any", prompt="Hi"), name)
    with answered(told(stored(name))) as client:
        chunks = list(client.completions.create(model="any", prompt="Hi", stream=True))
    assert {(chunk.id, chunk.created, chunk.object) for chunk in chunks} == {
        (f"cmpl-{NEW}", int(NOW), "text_completion")
    }
    document = SAMPLES[name][1]
    choices = [chunk.choices[0] for chunk in chunks[:-1]]
    for index, choice in enumerate(document["choices"]):
        own = [piece for piece in choices if piece.index == index]
        assert "".join(piece.text for piece in own) == choice["text"]
        assert own[-1].finish_reason == "stop"
        tokens = [token for piece in own if piece.logprobs for token in piece.logprobs.tokens or ()]
        assert tokens == (choice["logprobs"] or {}).get("tokens", [])
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.to_dict() == document["usage"]


@pytest.mark.parametrize("name", RESPONSES)
def test_responses(name: str) -> None:
    """The object, and what the client's own helper makes of the stream."""
    with answered(whole(name), b"application/json") as client:
        assert same(client.responses.create(model="any", input="Hi"), name)
    with answered(told(stored(name))) as client, client.responses.stream(model="any", input="Hi") as stream:
        assert same(stream.get_final_response(), name)


@pytest.mark.parametrize("name", RESPONSES)
def test_response_events(name: str) -> None:
    """Numbered in order, from created to completed; the deltas are the texts; every item is added and done."""
    with answered(told(stored(name))) as client:
        events: list[Any] = list(client.responses.create(model="any", input="Hi", stream=True))
    document = SAMPLES[name][1]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]
    assert events[0].response.output == []
    assert events[-1].type == "response.completed"
    assert same(events[-1].response, name)
    texts = [part["text"] for item in document["output"] if item["type"] == "message" for part in item["content"]]
    told_texts = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(told_texts) == "".join(texts)
    assert [event.text for event in events if event.type == "response.output_text.done"] == texts
    done = [said(event.item.to_dict()) for event in events if event.type == "response.output_item.done"]
    assert done == said(document["output"])
    added = [event for event in events if event.type == "response.output_item.added"]
    assert [event.output_index for event in added] == list(range(len(document["output"])))


def test_calls_of_tools_in_a_response() -> None:
    """Their arguments in pieces, then whole."""
    with answered(told(stored("response, calls"))) as client:
        events: list[Any] = list(client.responses.create(model="any", input="Hi", stream=True))
    function, custom = SAMPLES["response, calls"][1]["output"]
    pieces = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    assert json.loads("".join(pieces)) == json.loads(function["arguments"])
    assert len(pieces) > 1
    pieces = [event.delta for event in events if event.type == "response.custom_tool_call_input.delta"]
    assert "".join(pieces) == custom["input"]
