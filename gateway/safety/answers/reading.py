"""What there is to read in bytes, whatever they are said to be: JSON, lines of it, events of a stream, plain text.

Clients differ in what they take for JSON or for an event. So whatever any of them could read is read here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from gateway.llm.events import Event, split_events
from gateway.llm.json_values import json_in
from gateway.safety.texts import LONGEST_LABEL

LINE_END = re.compile("\r\n|\n|\r")
HAS_DATA = re.compile(rb"^data:", re.MULTILINE)
# What stands before the document of a line in sloppy streams, and in JSON text sequences (RFC 7464).
BEFORE = re.compile("[\\s\ufeff\x1e]*(?:data:)?\\s*", re.IGNORECASE)
# Names of events, their numbers, and comments. A long one is none.
LABELS = (b":", b"event:", b"id:", b"retry:")
LONGEST_NUMBER = 300


def _number(digits: str) -> float:
    # Python refuses longer ones, others do not.
    return float(digits) if len(digits) > LONGEST_NUMBER else int(digits)


DECODER = json.JSONDecoder(strict=False, parse_int=_number)


def documents_of(content: bytes) -> list[Any]:
    """The documents of a whole answer, and as texts what is none."""
    document = _document(content)
    if document is not None:
        return document if isinstance(document, list) else [document]
    if not HAS_DATA.search(content):
        return _of_lines(content.decode(errors="replace"))
    events = split_events(content.removeprefix(b"\xef\xbb\xbf") + b"\n\n")
    return [found for event in events for found in (*_of_data(event.data), *_of_others(event.others))]


def documents_of_event(event: Event) -> list[Any]:
    """The same of one event of a stream."""
    found = _of_data(event.data)
    return found + _of_others([line for line in event.others if not _is_label(line)]) if event.others else found


def _of_data(data: bytes) -> list[Any]:
    if not data:
        return []
    document = _document(data)
    if document is not None or data.strip() == b"null":
        return [document]
    text = data.decode(errors="replace")
    return _of_lines(text) if "\n" in text else [text]


def _of_others(lines: Sequence[bytes]) -> list[Any]:
    if not lines:
        return []
    text = b"\n".join(lines).decode(errors="replace")
    document = _loosely(text)
    return [document] if document is not None else _of_lines(f"{text}\n")


def _of_lines(text: str) -> list[Any]:
    found: list[Any] = []
    words: list[str] = []
    for line in LINE_END.split(text):
        rest = _take_documents(line, found)
        words.append(rest)
    if any(words):
        found.append("\n".join(words))
    return found


def _take_documents(line: str, found: list[Any]) -> str:
    """Objects and lists at the beginning of a line; gives back what is left of it."""
    before = BEFORE.match(line)
    at = before.end() if before else 0
    if line[at : at + 1] not in ("{", "["):
        return line
    while line[at : at + 1] in ("{", "["):
        try:
            document, at = DECODER.raw_decode(line, at)
        except (ValueError, RecursionError):
            break
        found.append(document)
        while line[at : at + 1].isspace():
            at += 1
    return line[at:]


def _document(content: bytes) -> Any:
    document = json_in(content)
    return document if document is not None else _loosely(content.decode(errors="replace"))


def _loosely(text: str) -> Any:
    try:
        return DECODER.decode(text)
    except (ValueError, RecursionError):
        return None


def _is_label(line: bytes) -> bool:
    return len(line) <= LONGEST_LABEL and line.startswith(LABELS)
