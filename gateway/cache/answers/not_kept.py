"""Why an answer is not kept."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


class NotKept(Exception):
    """The answer went to its caller and will go to nobody else. `reason` is a short token for the x-cache header.

    - `incomplete`: it broke off, or its end was not seen
    - `finish-length`, `finish-other`: the model did not stop by itself
    - `tool-calls`: it calls the caller's tools, and such answers are not to be kept
    - `server-tools`: tools of the backend had a part in it, such as a search
    - `content-filter`, `refusal`: something in it was filtered or flagged; the model would not answer
    - `error`: it is one, or holds one
    - `conversation`: the backend has put it into a conversation of the caller's
    - `audio`: the backend forgets it within the hour
    - `empty`: there is no text in it
    - `too-large`: more than is collected
    - `unreadable`: it is not what its protocol says, or its pieces do not make one answer for certain
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


FINISHES: Mapping[str, str] = MappingProxyType(
    {
        "length": "finish-length",
        "max_tokens": "finish-length",
        "max_output_tokens": "finish-length",
        "model_context_window_exceeded": "finish-length",
        "content_filter": "content-filter",
        "refusal": "refusal",
    }
)


def unfinished(reason: Any) -> NotKept:
    """Of an answer that ended for this reason, which is not a good one. What the backend wrote is not repeated."""
    if reason is None:
        return NotKept("incomplete")
    return NotKept(FINISHES.get(reason, "finish-other") if isinstance(reason, str) else "unreadable")
