"""Whatever any client could read in bytes is read, whatever they are said to be."""

import json
from typing import Any

import pytest

from gateway.llm.events import split_events
from gateway.safety.answers.reading import documents_of, documents_of_event
from gateway.safety.answers.said import said


def say(documents: list[Any]) -> list[str]:
    """The texts, each put together."""
    channels: dict[Any, str] = {}
    for document in documents:
        for channel, text in said(document):
            channels[channel] = channels.get(channel, "") + text
    return [text.strip() for text in channels.values()]


def lines(*documents: Any, before: str = "", between: str = "\n") -> bytes:
    return "".join(before + json.dumps(document) + between for document in documents).encode()


ST, AB = {"delta": {"text": "st"}}, {"delta": {"text": "ab"}}
PRETTY = json.dumps({"answer": {"text": "stab"}}, indent=2).encode()

# Each says one word, in two parts or in escapes.
WHOLE: dict[str, bytes] = {
    "a document": PRETTY,
    "a list": json.dumps([ST, AB]).encode(),
    "lines": lines(ST, AB),
    "lines, the last of which is half": lines(ST, AB) + b'{"delta":',
    "lines, one of which is null": lines(ST, None, AB),
    "lines that end with carriage returns": lines(ST, AB, between="\r"),
    "documents in one line": lines(ST, AB, between=" "),
    "a text sequence": lines(ST, AB, before="\x1e"),
    "events": lines(ST, AB, before="data: ", between="\n\n") + b"data: [DONE]\n\n",
    "events without empty lines": lines(ST, AB, before="data:"),
    "events with a mark before them": b"\xef\xbb\xbf" + lines(ST, AB, before="data: ", between="\n\n"),
    "events in capitals": lines(ST, AB, before=" DATA: "),
    "two marks": b"\xef\xbb\xbf\xef\xbb\xbf" + lines(ST, AB, before="data: ", between="\n\n"),
    "a letter in a text that is none": b'{"text": "\\u0073tab"}'.replace(b"tab", b"tab\xff"),
    "a line end in a text": b'{"text": "\\u0073tab\n"}',
    "a number that is too long": b'{"n": ' + b"1" * 5_000 + b', "text": "\\u0073tab"}',
    "sixteen bits a letter": json.dumps([ST, AB]).encode("utf-16"),
}


@pytest.mark.parametrize("content", WHOLE.values(), ids=WHOLE)
def test_a_word_is_found_in_whatever_it_comes(content: bytes) -> None:
    """Parts of it are put together, and escapes of it are read, as some client does."""
    assert "stab" in "".join(say(documents_of(content)))


TEXTS = [b"stab", b"One line.\n\nAnother: stab\n", b"# stab\ndata: x\n", b"null", b"[DONE] stab"]


@pytest.mark.parametrize("content", TEXTS)
def test_what_is_no_document_is_a_text(content: bytes) -> None:
    """All of it."""
    words = "\n".join(say(documents_of(content)))
    for word in content.decode().replace("data:", "").split():
        assert word in words


def test_a_text_keeps_its_lines() -> None:
    """They are no word together."""
    assert say(documents_of(b"st\nab")) == ["st\nab"]


EVENTS: dict[str, bytes] = {
    "a document without a field": PRETTY + b"\n\n",
    "lines": lines(ST, AB) + b"\n",
    "fields with a space before them": lines(ST, AB, before=" data: ") + b"\n",
    "fields in capitals": lines(ST, AB, before="Data:") + b"\n",
    "two documents as one event's data": lines(ST, AB, before="data: ") + b"\n",
    "a text": b"stab\n\n",
    "a long comment": b": stab %s\n\n" % (b"x" * 100),
    "a long name": b"event: stab %s\ndata: {}\n\n" % (b"x" * 100),
    "a long number": b"id: stab %s\ndata: {}\n\n" % (b"x" * 100),
}


@pytest.mark.parametrize("content", EVENTS.values(), ids=EVENTS)
def test_all_of_an_event_is_read(content: bytes) -> None:
    """Not only what the standard has for its data."""
    documents = [document for event in split_events(content) for document in documents_of_event(event)]
    assert "stab" in "".join(say(documents))


LABELS = [b": keep-alive\n\n", b"event: ping\nid: 7\nretry: 10\n\n", b"data:\n\n", b"data: null\n\n"]


@pytest.mark.parametrize("content", LABELS)
def test_what_every_stream_has_is_no_text(content: bytes) -> None:
    """Otherwise it would be held."""
    assert say([document for event in split_events(content) for document in documents_of_event(event)]) == []
