"""The last words of a stream that is filtered, as the protocol's own clients read them."""

import json
import zlib
from typing import Any

import pytest

from gateway.llm.endings import Ending, done
from gateway.llm.frame_reader import FrameReader
from gateway.llm.sse import DONE
from gateway.llm.tokens import Protocol


def filtered(protocol: Protocol | None, *seen: Any) -> bytes:
    ending = Ending(protocol)
    for document in seen:
        ending.see(document)
    return ending.filtered()


def read(words: bytes) -> list[Any]:
    """The documents of events, each of which is named for its type if it has a name."""
    found = []
    for event in words.decode().split("\n\n")[:-1]:
        lines = dict(line.split(": ", 1) for line in event.split("\n"))
        found.append(json.loads(lines["data"]))
        assert lines.get("event", found[-1].get("type")) == found[-1].get("type")
    return found


def choices(*indices: int) -> dict[str, Any]:
    return {"id": "c-1", "created": 7, "model": "m", "choices": [{"index": index, "delta": {}} for index in indices]}


def test_every_choice_of_a_chat_ends() -> None:
    """With the stream's own id, as if the backend had filtered it."""
    words = read(filtered(Protocol.CHAT, choices(0), choices(2), None))
    ends = [{"index": index, "delta": {}, "finish_reason": "content_filter"} for index in (0, 2)]
    assert words == [{"id": "c-1", "created": 7, "model": "m", "object": "chat.completion.chunk", "choices": ends}]


def test_a_chat_of_which_nothing_was_read_ends_too() -> None:
    """There is always a first choice."""
    assert read(filtered(Protocol.CHAT))[0]["choices"][0]["finish_reason"] == "content_filter"


def test_a_choice_that_has_ended_ends_once() -> None:
    """What its caller has got is its end; what was held with the harm never came."""
    ending = Ending(Protocol.CHAT)
    stop = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}, {"index": 1, "delta": {}}]}
    ending.see(stop)
    assert [choice["index"] for choice in read(ending.filtered())[0]["choices"]] == [0, 1]
    ending.sent()
    assert [choice["index"] for choice in read(ending.filtered())[0]["choices"]] == [1]
    ending.see({"choices": [{"index": 1, "delta": {}, "finish_reason": "stop"}]})
    ending.sent()
    assert ending.filtered() == b""


LONG = "You could stab them. " * 10


@pytest.mark.parametrize(
    ("protocol", "event"),
    [
        (Protocol.CHAT, {"id": LONG, "model": LONG, "created": {"at": LONG}, "choices": []}),
        (Protocol.RESPONSES, {"response": {"id": LONG, "output_text": LONG, "error": {"message": LONG}}}),
    ],
)
def test_the_last_words_repeat_nothing_that_could_be_harmful(protocol: Protocol, event: Any) -> None:
    """They come after what was not to be read, and may have been made of it."""
    assert b"stab" not in filtered(protocol, event)


def test_a_completion_ends() -> None:
    """With a text, which its clients expect."""
    words = read(filtered(Protocol.COMPLETIONS, choices(0)))
    assert words[0]["object"] == "text_completion"
    assert words[0]["choices"] == [{"index": 0, "text": "", "finish_reason": "content_filter"}]


def test_a_response_is_incomplete() -> None:
    """Its number follows, and it is the response that was begun."""
    begun = {"type": "response.created", "sequence_number": 0, "response": {"id": "r", "model": "m", "status": "x"}}
    words = read(filtered(Protocol.RESPONSES, begun, {"type": "response.output_text.delta", "sequence_number": 4}))
    assert words == [
        {
            "type": "response.incomplete",
            "sequence_number": 5,
            "response": {
                "id": "r",
                "model": "m",
                "status": "incomplete",
                "incomplete_details": {"reason": "content_filter"},
                "output": [],
            },
        }
    ]


def test_a_message_of_anthropics_is_refused() -> None:
    """It claims no tokens: what was delivered is counted."""
    words = read(filtered(Protocol.ANTHROPIC))
    assert [event["type"] for event in words] == ["message_delta", "message_stop"]
    assert words[0]["delta"]["stop_reason"] == "refusal"
    assert words[0]["usage"] == {"output_tokens": 0}


def test_a_candidate_of_geminis_ends_for_safety() -> None:
    """Its word for that."""
    assert read(filtered(Protocol.GEMINI)) == [{"candidates": [{"index": 0, "finishReason": "SAFETY"}]}]


def test_a_frame_of_bedrocks_has_lengths_and_checksums_that_are_right() -> None:
    """And is read by whoever reads the others."""
    frame = filtered(Protocol.BEDROCK)
    assert int.from_bytes(frame[:4]) == len(frame)
    assert int.from_bytes(frame[8:12]) == zlib.crc32(frame[:8])
    assert int.from_bytes(frame[-4:]) == zlib.crc32(frame[:-4])
    end = 12 + int.from_bytes(frame[4:8])
    assert json.loads(frame[end:-4]) == {"stopReason": "content_filtered"}
    headers = frame[12:end]
    assert headers.startswith(b"\x0b:event-type\x07\x00\x0bmessageStop")
    reader = FrameReader(lambda texts: 0)
    reader.take_whole(frame)
    assert reader.tokens() == 0


@pytest.mark.parametrize("protocol", [None, Protocol.EMBEDDINGS, Protocol.IMAGES])
def test_others_have_no_words_for_it(protocol: Protocol | None) -> None:
    """The error says it."""
    assert (filtered(protocol), done(protocol)) == (b"", b"")


def test_only_openais_streams_end_with_done() -> None:
    """The clients of the others know another end."""
    assert [done(protocol) for protocol in (Protocol.CHAT, Protocol.COMPLETIONS, Protocol.RESPONSES)] == [DONE] * 3
    assert done(Protocol.ANTHROPIC) == b""
