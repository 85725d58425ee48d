"""Streams are read as they pass, and callers see nothing of it."""

import itertools
import json
import tracemalloc
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.llm.stream_reader import LONGEST_EVENT_BYTES, StreamReader
from gateway.llm.usage import Usage


def event(document: Any, end: str = "\n") -> bytes:
    """One event as OpenAI sends it."""
    return f"data: {json.dumps(document)}{end}{end}".encode()


def chunk(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}}], "usage": None}


USAGE = event({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}})
BEFORE = b": keep-alive\n\n" + event(chunk("Grüße ")) + b"event: x\r\ndata: " + b'{"choices":\r\ndata: []}\r\n\r\n'
AFTER = event(chunk("👋"), "\r") + b"data: [DONE]\n\n"
STREAM = BEFORE + USAGE + AFTER


def read_texts(texts: Sequence[str]) -> int:
    """Stands in for counting: how many characters."""
    return sum(map(len, texts))


def followed(
    pieces: list[bytes], *, hides_usage: bool = True, lets_go: bool = False
) -> tuple[bytes, Usage | None, int]:
    """What the caller gets of a stream that comes in these pieces, and what was read on the way."""
    reader = StreamReader(read_texts, hides_usage=hides_usage)
    sent = b""
    for piece in pieces:
        sent += reader.feed(piece)
        reader.sent()
        if lets_go:
            sent += reader.let_go()
    sent += reader.rest()
    reader.sent()
    return sent, reader.usage, reader.tokens()


def test_every_split_gives_the_same() -> None:
    """At each of the stream's bytes: the caller's bytes are the backend's but for that one event."""
    expected = (BEFORE + AFTER, Usage(5, 2), 1)
    assert followed([STREAM]) == expected
    for point in range(len(STREAM)):
        assert followed([STREAM[:point], STREAM[point:]]) == expected


@given(st.lists(st.integers(0, len(STREAM)), max_size=10))
def test_any_number_of_splits(points: list[int]) -> None:
    """Nothing is lost and nothing is added, whoever wants the event."""
    cuts = [0, *sorted(points), len(STREAM)]
    pieces = [STREAM[begin:end] for begin, end in itertools.pairwise(cuts)]
    assert followed(pieces, hides_usage=False) == (STREAM, Usage(5, 2), 1)


@pytest.mark.parametrize("cut", range(0, len(STREAM), 7))
def test_a_stream_that_stops_in_the_middle(cut: int) -> None:
    """What was whole has been read; no byte but the hidden event's is missing."""
    sent, _, text = followed([STREAM[:cut]])
    assert sent in (STREAM[:cut], STREAM[:cut].replace(USAGE, b""))
    assert text <= len("Grüße 👋")


def test_usage_in_an_event_with_text_stays() -> None:
    """Some backends put it into the last piece of text: that is the caller's."""
    last = event({"choices": [{"delta": {"content": "x"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})
    assert followed([last]) == (last, Usage(1, 1), 0)


def test_anthropics_parts_are_added_up() -> None:
    """The prompt comes first, the answer's running total with each delta."""
    stream = event({"type": "message_start", "message": {"usage": {"input_tokens": 25, "output_tokens": 1}}})
    stream += event({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hello"}})
    stream += event({"type": "message_delta", "usage": {"output_tokens": 9}})
    stream += event({"type": "message_delta", "usage": {"output_tokens": 15}})
    assert followed([stream]) == (stream, Usage(25, 15), 0)


@pytest.mark.parametrize(
    "data", [b"data: [DONE]\n\n", b"data: {broken\n\n", b"data: 7\n\n", b"\n\n", b"id: 1\n\n", b"data: [\n\n"]
)
def test_events_that_say_nothing_pass(data: bytes) -> None:
    """Whatever they are."""
    assert followed([data]) == (data, None, 0)


@pytest.mark.parametrize("point", range(len(STREAM)))
def test_every_half_that_is_let_go(point: int) -> None:
    """Nothing is lost when an event goes out in parts; the hidden one is hidden unless a part of it is out already."""
    sent, usage, text = followed([STREAM[:point], STREAM[point:]], lets_go=True)
    within = len(BEFORE) < point < len(BEFORE + USAGE)
    assert (sent, usage, text) == (STREAM if within else BEFORE + AFTER, Usage(5, 2), 1)


ABSURD: dict[str, Any] = {
    "negative": {"prompt_tokens": -5, "completion_tokens": 2},
    "a text": {"prompt_tokens": "five", "completion_tokens": 2},
    "too many": {"prompt_tokens": 10**12, "completion_tokens": 2},
    "no object": "lots",
    "nothing": {},
}


@pytest.mark.parametrize("usage", ABSURD.values(), ids=ABSURD.keys())
def test_what_makes_no_sense_is_hidden_and_not_believed(usage: Any) -> None:
    """The caller has not asked for nonsense either; the text is there to be counted."""
    stream = event(chunk("Hello"))
    assert followed([stream + event({"choices": [], "usage": usage})]) == (stream, None, 5)


def test_only_what_was_sent_is_delivered() -> None:
    """What the caller did not accept does not count."""
    reader = StreamReader(read_texts)
    reader.feed(event(chunk("Hello")))
    reader.sent()
    reader.feed(event(chunk(" world")))
    assert reader.tokens() == 5


def test_text_after_the_last_report_counts_beside_it() -> None:
    """Running totals that come with the text, from a stream whose caller leaves between them."""
    first = event(
        {
            "candidates": [{"content": {"parts": [{"text": "one"}]}}],
            "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 1},
        }
    )
    second = event({"candidates": [{"content": {"parts": [{"text": "three"}]}}]})
    assert followed([first]) == (first, Usage(4, 1), 0)
    assert followed([first + second]) == (first + second, Usage(4, 1), 5)


def test_much_text_is_counted_in_little_memory() -> None:
    """Ten megabytes of events: their text is counted, and they are not kept."""
    reader = StreamReader(read_texts)
    piece = event(chunk("x" * 50)) * 100
    tracemalloc.start()
    for _ in range(10_000_000 // len(piece)):
        reader.feed(piece)
        reader.sent()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reader.tokens() == 10_000_000 // len(piece) * 5_000
    assert most < 2_000_000


def test_a_very_long_event_in_parts_passes_unread() -> None:
    """It is not kept whole for the sake of reading it, and the next is read again."""
    long = b"data: " + b"x" * (LONGEST_EVENT_BYTES + 10) + b"\n\n"
    pieces = [long[start : start + 100_000] for start in range(0, len(long), 100_000)]
    assert followed([*pieces, event(chunk("Hello"))]) == (long + event(chunk("Hello")), None, 5)


def test_each_choice_has_a_text_of_its_own() -> None:
    """Several answers come in turns, and are counted as several texts."""
    seen: list[Sequence[str]] = []

    def keep(texts: Sequence[str]) -> int:
        seen.append(texts)
        return 0

    reader = StreamReader(keep)
    for index, text in [(0, "Hel"), (1, "Good"), (0, "lo"), (1, "bye"), ("odd", "!")]:
        reader.feed(event({"choices": [{"index": index, "delta": {"content": text}}]}))
        reader.sent()
    reader.tokens()
    assert seen == [["Hello!", "Goodbye"]]
