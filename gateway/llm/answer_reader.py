"""Reads the answer to one call, whatever form it comes in."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.call import Header, first_value
from gateway.errors import GatewayError
from gateway.llm.delivered import Count
from gateway.llm.frame_reader import CONTENT_TYPE, FrameReader
from gateway.llm.stream_reader import OnText, StreamReader
from gateway.llm.usage import Usage
from gateway.llm.whole_reader import WholeReader


class AnswerReader:
    """Belongs to a call; whoever sends the answer feeds it. `count` says how many tokens texts are.

    `on_text`, if set before the answer is sent, is told of a stream's text before it goes out, and may end the stream
    by raising a GatewayError. `status` is the backend's, None before it has answered. An answer that `is_withheld` was
    made, and nobody gets it.
    """

    __slots__ = ("_count", "_hides_usage", "_reader", "is_withheld", "on_text", "status")

    def __init__(self, count: Count, *, hides_usage: bool = False) -> None:
        self.status: int | None = None
        self.is_withheld = False
        self.on_text: OnText | None = None
        self._count = count
        self._hides_usage = hides_usage
        self._reader: StreamReader | WholeReader | FrameReader | None = None

    def of_events(self) -> StreamReader:
        """The reader of an event stream."""
        if not isinstance(self._reader, StreamReader):
            self._reader = StreamReader(self._count, hides_usage=self._hides_usage, on_text=self.on_text)
        return self._reader

    def of_pieces(self, headers: Sequence[Header]) -> WholeReader | FrameReader:
        """The reader of any other answer."""
        if self._reader is None or isinstance(self._reader, StreamReader):
            is_frames = (first_value(headers, b"content-type") or b"").lower().startswith(CONTENT_TYPE)
            self._reader = FrameReader(self._count) if is_frames else WholeReader(headers, self._count)
        return self._reader

    @property
    def usage(self) -> Usage | None:
        """What the backend has said so far."""
        return None if self._reader is None else self._reader.usage

    @property
    def cut(self) -> GatewayError | None:
        """Why `on_text` has ended the stream; None if it has not."""
        return self._reader.cut if isinstance(self._reader, StreamReader) else None

    def tokens(self) -> int:
        """Of the text that the caller has received and that `usage` does not cover."""
        return 0 if self._reader is None else self._reader.tokens()

    def tokens_of_whole(self) -> int:
        """The same, when the caller will have received all of an answer that has been read to its end before."""
        return self._reader.tokens_of_whole() if isinstance(self._reader, WholeReader) else 0

    def stop_telling(self) -> None:
        """Nothing more goes to the caller, so `on_text`, which may know of the call, is let go of."""
        self.on_text = None
        if isinstance(self._reader, StreamReader):
            self._reader.on_text = None

    def drain(self, piece: bytes) -> None:
        """The next bytes of an answer whose caller has left."""
        self.stop_telling()
        if isinstance(self._reader, StreamReader):
            self._reader.feed(piece)
        elif self._reader is not None:
            self._reader.take(piece)

    def finish_drain(self) -> None:
        """There are no more of them."""
        if isinstance(self._reader, StreamReader):
            self._reader.rest()
        elif self._reader is not None:
            self._reader.finish()
