"""Whatever a backend sends, collecting it fails in one way only, and what is kept can be given."""

import copy
import json
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cache.answers import replay
from gateway.cache.answers.collect import Collector
from gateway.cache.answers.not_kept import NotKept
from gateway.cache.answers.stored import StoredAnswer
from gateway.llm.events import split_events
from gateway.llm.tokens import Protocol
from tests.cache.answers.samples import NEW, NOW, SAMPLES, collected, event, stored, told

ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    "stop",
    "text",
    [],
    {},
    [None],
    [{}],
    ["x"],
    {"index": 0},
    {"type": 5},
]
VALUES = st.sampled_from(ODD) | st.text(max_size=5)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a document."""
    found = [path] if path else []
    names = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return found + [place for name in names for place in places(value[name], (*path, name))]


def changed(document: Any, path: tuple[Any, ...], value: Any, gone: bool) -> Any:
    """The document with something else in one place, or with nothing."""
    document = copy.deepcopy(document)
    holder = document
    for name in path[:-1]:
        holder = holder[name]
    if gone:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return document


def check_given(answer: StoredAnswer) -> None:
    """It can be stored and given both ways, and a stream of it is an answer again, or is not kept."""
    assert StoredAnswer.from_bytes(answer.to_bytes()) == answer
    json.loads(replay.whole(answer, NOW, lambda: NEW))
    with suppress(NotKept):
        collected(answer.protocol, told(answer))


@settings(max_examples=400)
@given(data=st.data())
def test_whole_answers_with_something_odd(data: st.DataObject) -> None:
    """One place of a good answer changed, or gone."""
    protocol, document = SAMPLES[data.draw(st.sampled_from(sorted(SAMPLES)))]
    path = data.draw(st.sampled_from(places(document)))
    odd = changed(document, path, data.draw(VALUES), data.draw(st.booleans()))
    collector = Collector(protocol)
    collector.whole(json.dumps(odd).encode())
    with suppress(NotKept):
        check_given(collector.finish(cache_tool_calls=True))


@settings(max_examples=400)
@given(data=st.data())
def test_streams_with_something_odd(data: st.DataObject) -> None:
    """One place of one event changed, or gone; or an event that comes twice, or not at all."""
    name = data.draw(st.sampled_from(sorted(SAMPLES)))
    protocol, _ = SAMPLES[name]
    pieces = told(stored(name))
    place = data.draw(st.integers(0, len(pieces) - 1))
    document = next(split_events(pieces[place])).document()
    what = data.draw(st.sampled_from(("changed", "gone", "twice")))
    if what == "gone":
        del pieces[place]
    elif what == "twice":
        pieces.insert(place, pieces[place])
    elif document is not None:
        path = data.draw(st.sampled_from(places(document)))
        pieces[place] = event(changed(document, path, data.draw(VALUES), data.draw(st.booleans())))
    collector = Collector(protocol)
    for piece in pieces:
        collector.feed_events(piece)
    with suppress(NotKept):
        check_given(collector.finish(cache_tool_calls=True))


@given(st.sampled_from(Protocol), st.binary(max_size=400))
def test_any_bytes(protocol: Protocol, content: bytes) -> None:
    """That are no answer at all."""
    if protocol not in {protocol for protocol, _ in SAMPLES.values()}:
        return
    for feed in (Collector.whole, Collector.feed_events):
        collector = Collector(protocol)
        feed(collector, content)
        with suppress(NotKept):
            collector.finish(cache_tool_calls=True)
