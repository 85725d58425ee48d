"""The stand-in model's streams, collected, are what it answers without streaming."""

from typing import Any

import httpx2
import pytest

from gateway.cache.answers.collect import Collector
from gateway.cache.answers.stored import StoredAnswer
from gateway.llm.tokens import Protocol
from local.model import ModelServer
from tests.cache.answers.samples import lasting
from tests.local.model.conversation import HELLO, WEATHER_SCHEMA

WEATHER = {"name": "weather", "parameters": WEATHER_SCHEMA}
ASK_WEATHER = [{"role": "user", "content": "call weather please"}]

REQUESTS: dict[str, tuple[Protocol, dict[str, Any]]] = {
    "chat": (Protocol.CHAT, {"messages": HELLO}),
    "chat, choices": (Protocol.CHAT, {"messages": HELLO, "n": 3}),
    "chat, JSON": (Protocol.CHAT, {"messages": HELLO, "response_format": {"type": "json_object"}}),
    "chat, tools": (Protocol.CHAT, {"messages": ASK_WEATHER, "tools": [{"type": "function", "function": WEATHER}]}),
    "completion": (Protocol.COMPLETIONS, {"prompt": "Hello there", "n": 2}),
    "response": (Protocol.RESPONSES, {"input": "Hello there"}),
    "response, tools": (Protocol.RESPONSES, {"input": ASK_WEATHER, "tools": [{"type": "function", **WEATHER}]}),
}


def ask(server: ModelServer, protocol: Protocol, body: dict[str, Any], words: str = "") -> StoredAnswer:
    """What is kept of the stand-in's answer."""
    headers = {"x-stand-in-words": words} if words else {}
    options = {"stream_options": {"include_usage": True}} if protocol is not Protocol.RESPONSES else {}
    collector = Collector(protocol)
    with httpx2.stream(
        "POST",
        f"{server.url}/{protocol.value}",
        json={"model": "any", **body, **(options if body.get("stream") else {})},
        headers=headers,
    ) as answer:
        feed = collector.feed_events if body.get("stream") else collector.whole
        for piece in answer.iter_raw():
            feed(piece)
    return collector.finish(cache_tool_calls=True)


def without_ids(value: Any) -> Any:
    """The stand-in makes up its ids."""
    if isinstance(value, dict):
        return {name: without_ids(part) for name, part in value.items() if name not in ("id", "call_id")}
    return [without_ids(part) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize("words", ["", "300"])
@pytest.mark.parametrize("name", REQUESTS)
def test_streams_are_collected_as_the_whole_answer(server: ModelServer, name: str, words: str) -> None:
    """Field by field, but for ids and times."""
    protocol, body = REQUESTS[name]
    whole = ask(server, protocol, body, words)
    streamed = ask(server, protocol, {**body, "stream": True}, words)
    assert without_ids(lasting(streamed.document)) == without_ids(lasting(whole.document))
