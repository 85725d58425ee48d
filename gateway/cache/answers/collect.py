"""Takes an answer as it passes, and says in the end whether it may be given to others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from gateway.cache.answers.assembly.anthropic import AnthropicAssembly
from gateway.cache.answers.assembly.assembly import Assembly
from gateway.cache.answers.assembly.chunks import ChatAssembly, CompletionsAssembly
from gateway.cache.answers.assembly.responses import ResponsesAssembly
from gateway.cache.answers.checks.check import check
from gateway.cache.answers.not_kept import NotKept
from gateway.cache.answers.stored import StoredAnswer
from gateway.llm.events import Event, split_events
from gateway.llm.json_values import object_in
from gateway.llm.sse import EventWatcher
from gateway.llm.tokens import Protocol

LARGEST_BYTES = 2 * 1024 * 1024
# Most streams are shorter: they cost nothing until they are over. Of a longer one as much is read at a time.
READ_BYTES = 16 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

ASSEMBLIES: Mapping[Protocol, Callable[[], Assembly]] = MappingProxyType(
    {
        Protocol.CHAT: ChatAssembly,
        Protocol.COMPLETIONS: CompletionsAssembly,
        Protocol.RESPONSES: ResponsesAssembly,
        Protocol.ANTHROPIC: AnthropicAssembly,
    }
)

# A backend repeats what its caller has sent. These do not shape the answer, so the next caller's may differ.
OF_THE_CALLER: Mapping[str, Any] = MappingProxyType(
    {"metadata": {}, "user": None, "safety_identifier": None, "prompt_cache_key": None, "instructions": None}
)


class Collector:
    """Belongs to one answer of one of the four protocols. Feeding it never fails; `finish` tells.

    What it is fed is not compressed. Use `feed_events` for an event stream, `whole` for anything else. `reason` says
    why the answer will not be kept, once that is known.
    """

    __slots__ = ("_assembly", "_complete", "_ended", "_held", "_protocol", "_reads_events", "_watcher", "reason")

    def __init__(self, protocol: Protocol) -> None:
        self.reason: str | None = None
        self._protocol = protocol
        self._assembly = ASSEMBLIES[protocol]()
        self._watcher = EventWatcher()
        self._reads_events = False
        self._ended = False
        self._held = bytearray()
        # So many of the bytes held are whole events.
        self._complete = 0

    def feed_events(self, piece: bytes) -> None:
        """The next bytes of an event stream, cut anywhere."""
        self._reads_events = True
        if self.reason is not None or self._ended:
            return
        end = self._watcher.feed(piece)
        if end:
            self._complete = len(self._held) + end
        self._held += piece
        if self._complete >= READ_BYTES:
            self._read_complete()
        self._bound()

    def whole(self, content: bytes) -> None:
        """All of an answer that is no stream, or its next piece."""
        if self.reason is None:
            self._held += content
            self._bound()

    def finish(self, cache_tool_calls: bool) -> StoredAnswer:
        """All of it has been fed. Raises NotKept. Call it once; in a thread if you like."""
        try:
            document = self._assembled() if self._reads_events else self._parsed()
            check(self._protocol, document, cache_tool_calls)
            answer = StoredAnswer(self._protocol, _without_the_callers(document))
            # What JSON cannot say is found out here, not when a caller is waiting.
            _ = answer.template
        except (ValueError, RecursionError) as error:
            raise NotKept("unreadable") from error
        return answer

    def _assembled(self) -> dict[str, Any]:
        self._read_complete()
        if not self._ended and self.reason is None:
            self._read_rest()
        if self.reason is not None or not self._ended:
            raise NotKept(self.reason or "incomplete")
        return self._assembly.whole()

    def _parsed(self) -> dict[str, Any]:
        if self.reason is not None or not self._held:
            raise NotKept(self.reason or "incomplete")
        document = object_in(bytes(self._held))
        if document is None:
            raise NotKept("unreadable")
        return document

    def _read_complete(self) -> None:
        """Read the events that are whole."""
        events = bytes(self._held[: self._complete]).removeprefix(BYTE_ORDER_MARK)
        del self._held[: self._complete]
        self._complete = 0
        self._read(split_events(events))
        if self._watcher.error_seen and not self._ended and self.reason is None:
            self._give_up("error")

    def _read_rest(self) -> None:
        """A last event that no blank line follows, if it is one; half an event is none."""
        last = split_events(bytes(self._held) + b"\n")
        self._read(event for event in last if event.data == b"[DONE]" or event.document())

    def _read(self, events: Iterator[Event]) -> None:
        try:
            self._ended = self._ended or any(event.data and self._assembly.take(event.data) for event in events)
        except NotKept as refused:
            self._give_up(refused.reason)
        except RecursionError:
            self._give_up("unreadable")
        if self._ended:
            self._held = bytearray()

    def _bound(self) -> None:
        if len(self._held) + self._assembly.size > LARGEST_BYTES:
            self._give_up("too-large")

    def _give_up(self, reason: str) -> None:
        """Let go of everything at once."""
        self.reason = reason
        self._held = bytearray()
        self._complete = 0
        self._assembly = ASSEMBLIES[self._protocol]()
        self._watcher = EventWatcher()


def _without_the_callers(document: dict[str, Any]) -> dict[str, Any]:
    return document | {name: empty for name, empty in OF_THE_CALLER.items() if document.get(name)}
