"""The fields of a request beside its conversation: which shape the answer, and which lean on what is elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.llm.json_values import objects
from gateway.llm.tokens import Protocol

# All others shape the answer, known or not.
NOT_SHAPING = frozenset(
    {
        *("stream", "stream_options"),
        *("user", "safety_identifier", "metadata", "request_id"),
        *("service_tier", "prompt_cache_key", "prompt_cache_retention", "cache_control"),
    }
)
CONVERSATION = {
    Protocol.CHAT: frozenset({"messages"}),
    Protocol.COMPLETIONS: frozenset({"prompt"}),
    Protocol.RESPONSES: frozenset({"input", "instructions"}),
    Protocol.ANTHROPIC: frozenset({"messages", "system"}),
}
# What came before, or what shall be kept for later, is with the backend and not in the request. Null and false say no.
STATE = frozenset({"previous_response_id", "conversation", "background", "store", "container", "mcp_servers"})
STATES = {
    **dict.fromkeys(CONVERSATION, STATE),
    # A prompt of responses is a template that is stored elsewhere, and may be another tomorrow.
    Protocol.RESPONSES: STATE | {"prompt"},
}
LEFT_OUT = {protocol: NOT_SHAPING | names | STATES[protocol] for protocol, names in CONVERSATION.items()}


def is_stateful(document: Mapping[str, Any], protocol: Protocol) -> bool:
    """Whether the request refers to something that is kept elsewhere, or asks for it to be kept."""
    state = STATES[protocol]
    if not state.isdisjoint(document):
        # Not by ==, for which 0 is false.
        values = [document[name] for name in state if name in document]
        if any(value is not None and value is not False for value in values):
            return True
    if "tools" in document and any(map(_acts_elsewhere, objects(document["tools"]))):
        return True
    return protocol is Protocol.RESPONSES and any(map(_is_reference, objects(document.get("input"))))


def shaping(document: Mapping[str, Any], protocol: Protocol) -> dict[str, Any]:
    """The fields that shape the answer, by name."""
    left_out = LEFT_OUT[protocol]
    fields = {name: value for name, value in document.items() if name not in left_out}
    if isinstance(tools := fields.get("tools"), list):
        fields["tools"] = [_without_mark(tool) for tool in tools]
    return fields


def _without_mark(tool: Any) -> Any:
    if not isinstance(tool, dict) or "cache_control" not in tool:
        return tool
    return {name: value for name, value in tool.items() if name != "cache_control"}


def _acts_elsewhere(tool: Mapping[str, Any]) -> bool:
    """A server that is told to do things, or a container that is already there (by its id)."""
    return tool.get("type") == "mcp" or isinstance(tool.get("container"), str)


def _is_reference(item: Mapping[str, Any]) -> bool:
    """An item that stands for one of an earlier answer. Its type may be left out."""
    return item.get("type") in ("item_reference", None) and "role" not in item and "content" not in item
