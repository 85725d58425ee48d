"""What is kept of answers as servers of different makes send them."""

import json
import tracemalloc

import pytest

from gateway.cache.answers.collect import LARGEST_BYTES, READ_BYTES, Collector
from gateway.cache.answers.not_kept import NotKept
from gateway.llm.tokens import Protocol
from tests.cache.answers.chunks import DONE, called, chunks, delta
from tests.cache.answers.samples import (
    SAFE,
    SAMPLES,
    chat,
    choice,
    collected,
    collected_whole,
    event,
    message,
    part,
    response,
)


def test_an_azure_stream() -> None:
    """What was said of the prompt comes first and without a name, what was said of the text in between."""
    empty = {"id": "", "object": "", "created": 0, "model": ""}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 5, "model": "gpt-4o"}
    verdict = {"hate": SAFE["hate"]}
    stream = b"".join(
        event(document)
        for document in (
            {**empty, "choices": [], "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": SAFE}]},
            {**head, "choices": [{"index": 0, "delta": {"content": "Hi"}, "content_filter_results": {}}]},
            {
                **empty,
                "choices": [
                    {"index": 0, "content_filter_offsets": {"end_offset": 2}, "content_filter_results": verdict}
                ],
            },
            {
                **empty,
                "choices": [
                    {"index": 0, "content_filter_offsets": {"end_offset": 4}, "content_filter_results": verdict}
                ],
            },
            {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "obfuscation": "abc"},
            {**head, "choices": [], "usage": {"total_tokens": 7}, "obfuscation": "de"},
        )
    )
    assert collected(Protocol.CHAT, [stream + DONE]) == {
        **head,
        "object": "chat.completion",
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": SAFE}],
        "choices": [choice("Hi") | {"content_filter_results": verdict}],
        "usage": {"total_tokens": 7},
    }


def test_fields_of_servers_that_say_them_once_or_always() -> None:
    """Kept as they are; of what has a new value in every chunk the first or the last holds."""
    stream = b"".join(
        event({"object": "chat.completion.chunk", "model": "m", "created": number, **fields})
        for number, fields in enumerate(
            (
                {
                    "choices": [{"index": 0, **delta(content="Hi")}],
                    "x_groq": {"id": "req_1"},
                    "usage": {"total_tokens": 1},
                },
                {"choices": [{"index": 0, **delta("stop"), "stop_reason": None}], "citations": ["a"], "p": "abc"},
                {
                    "choices": [],
                    "x_groq": {"id": "req_1", "usage": {}},
                    "usage": {"total_tokens": 2},
                    "citations": ["a"],
                },
            ),
            5,
        )
    )
    kept = collected(Protocol.CHAT, [stream + DONE])
    assert kept["created"] == 5
    assert kept["usage"] == {"total_tokens": 2}
    assert kept["x_groq"] == {"id": "req_1", "usage": {}}
    assert kept["citations"] == ["a"]
    assert "p" not in kept
    assert kept["choices"][0]["stop_reason"] is None


def test_what_follows_the_end_does_not_count() -> None:
    """Clients do not read it either."""
    stream = chunks(delta(content="Hi"), delta("stop"))
    assert collected(Protocol.CHAT, [stream, event({"error": {"message": "late"}}), b"data: half"])["choices"] == [
        choice("Hi")
    ]


@pytest.mark.parametrize("end", [b"data: [DONE]", b"data: [DONE]\n", b"data:[DONE]\r\n\r\n"])
def test_an_end_without_a_blank_line(end: bytes) -> None:
    """It is as clear as the proper one."""
    stream = chunks(delta(content="Hi"), delta("stop")).removesuffix(DONE) + end
    assert collected(Protocol.CHAT, [stream])["choices"] == [choice("Hi")]


def test_a_byte_order_mark_is_no_part_of_the_first_event() -> None:
    """A stream may begin with one; without this, its first words would be missing."""
    stream = b"\xef\xbb\xbf" + chunks(delta(content="Hi"), delta(content=" there"), delta("stop"))
    for pieces in ([stream], [stream[:1], stream[1:]]):
        assert collected(Protocol.CHAT, pieces)["choices"] == [choice("Hi there")]


def test_what_its_caller_sent_stays_with_its_caller() -> None:
    """Instructions, metadata and names that a response repeats are not for the next one."""
    theirs = {
        "instructions": "Be brief.",
        "metadata": {"a": "b"},
        "user": "u",
        "safety_identifier": "s",
        "prompt_cache_key": "k",
    }
    document = response(message(part("Hi")), **theirs)
    ended = event({"type": "response.completed", "response": document})
    for kept in (collected_whole(Protocol.RESPONSES, document), collected(Protocol.RESPONSES, [ended])):
        others = {
            "instructions": None,
            "metadata": {},
            "user": None,
            "safety_identifier": None,
            "prompt_cache_key": None,
        }
        assert kept == document | others


def test_a_long_stream_is_kept() -> None:
    """Far more bytes than may be held: of most of them only the text is."""
    words = [f"word{number} " for number in range(20_000)]
    stream = chunks(*(delta(content=word) for word in words), delta("stop"))
    assert len(stream) > LARGEST_BYTES
    pieces = [stream[place : place + 4_000] for place in range(0, len(stream), 4_000)]
    assert collected(Protocol.CHAT, pieces)["choices"] == [choice("".join(words))]


def too_large(kind: str) -> list[bytes]:
    """Pieces of answers that are too large."""
    piece = "x" * 8_000
    if kind == "whole":
        return [piece.encode()] * 300
    if kind == "one event":
        return [b"data: ", *[piece.encode()] * 300]
    entries = {"content": [{"token": "x", "logprob": -0.5, "top_logprobs": [{"token": "y"}] * 100}]}
    brings = {"text": delta(content=piece), "tool": called(0, function={"arguments": piece})}.get(
        kind, {"logprobs": entries}
    )
    return [event({"choices": [{"index": 0, **brings}]})] * 1_500


@pytest.mark.parametrize("kind", ["whole", "one event", "text", "tool", "log probabilities"])
def test_a_large_answer_is_let_go_of_at_once(kind: str) -> None:
    """Nothing of it is held, and what comes after is not looked at."""
    collector = Collector(Protocol.CHAT)
    feed = collector.whole if kind == "whole" else collector.feed_events
    pieces = too_large(kind)
    tracemalloc.start()
    try:
        for piece in pieces:
            feed(piece)
            if collector.reason is not None:
                break
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert collector.reason == "too-large"
    assert held < 4 * READ_BYTES
    assert peak < 16 * LARGEST_BYTES
    feed(pieces[0])
    with pytest.raises(NotKept, match="too-large"):
        collector.finish(cache_tool_calls=True)


def test_the_largest_that_is_kept() -> None:
    """Two megabytes less a few bytes; a few more are too many."""
    around = len(json.dumps(chat(choice(""))))
    for missing, kept in ((0, True), (1, False)):
        collector = Collector(Protocol.CHAT)
        collector.whole(json.dumps(chat(choice("x" * (LARGEST_BYTES - around + missing)))).encode())
        assert (collector.reason is None) is kept


@pytest.mark.parametrize("name", [name for name in SAMPLES if "tool" in name or "call" in name or "function" in name])
def test_calls_of_tools_are_kept_only_if_they_are_to_be(name: str) -> None:
    """As their API's policy says."""
    protocol, document = SAMPLES[name]
    assert collected_whole(protocol, document, cache_tool_calls=True) == document
    with pytest.raises(NotKept, match="tool-calls"):
        collected_whole(protocol, document, cache_tool_calls=False)
