"""What of a stream is held until it is known to be clean.

Parts are held in the order in which they came, from the first with text that nobody has screened. Before there is more
of it than a window has room for, all of it is screened at once, each channel's with the overlap before it, so that what
stands at a seam is seen whole. Then all of it may go. Where the windows end depends on the texts alone, never on time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.safety.answers.said import Channel, is_escaped

ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
UNICODE = re.compile(r"(?<!\\)\\++u([0-9a-fA-F]{4})")
# JSON within JSON within JSON: so often may a letter be escaped.
DEEPEST_ESCAPE = 4
ENDS = (".done", ".completed", ".incomplete")
LETTERS = {"n": "\n", "r": "\n", "t": "\t", "b": " ", "f": " "}
MOST_CHANNELS = 1_000
MOST_HELD_BYTES = 32 * 1024 * 1024


@dataclass(slots=True)
class _Channel:
    """One text: the end of what was screened, and what has come since."""

    seen: str = ""
    new: list[str] = field(default_factory=list)
    digest: hashlib.blake2b = field(default_factory=lambda: hashlib.blake2b(digest_size=16))


class Windows:
    """`size`, which has the `overlap` in it, is in code points; with a `size` of 0 everything is held to the end."""

    def __init__(self, size: int, overlap: int) -> None:
        self._size = size
        self._overlap = overlap
        self._channels: dict[Channel, _Channel] = {}
        self._changed: dict[Channel, _Channel] = {}
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._held_characters = 0
        self._seen_characters = 0
        self._ready: list[bytes] = []

    def has_room_for(self, characters: int) -> bool:
        """Whether so many more code points are still of this window. Whatever they are, an empty one has room."""
        extent = self._held_characters + min(self._seen_characters, self._overlap)
        return not (self._size and self._held) or extent + characters <= self._size

    @property
    def is_overfull(self) -> bool:
        """Whether there is more than can be held, or to be kept apart."""
        return self._held_bytes > MOST_HELD_BYTES or len(self._channels) > MOST_CHANNELS

    @property
    def holds_something(self) -> bool:
        """Whether anything waits for being screened."""
        return bool(self._held)

    def add(self, raw: bytes, texts: Iterable[tuple[Channel, str]]) -> None:
        """The next part of the stream, and what it says."""
        is_new = False
        said = None
        for name, text in texts:
            if said is None and _may_repeat(name):
                said = {channel.digest.digest() for channel in self._channels.values()}
            is_new = self._note(name, text, said) or is_new
        if not (is_new or self._held):
            self._ready.append(raw)
            return
        self._held.append(raw)
        self._held_bytes += len(raw)

    def text(self) -> str:
        """All that is to be screened, with what came before it."""
        return "\n".join(_spelled(name, channel) for name, channel in self._changed.items())

    def release(self) -> None:
        """What is held may go."""
        for channel in self._changed.values():
            text = channel.seen + "".join(channel.new)
            channel.seen = text[-self._overlap :] if self._overlap else ""
            channel.new.clear()
        self._changed.clear()
        self._ready += self._held
        self.drop()

    def release_all(self) -> None:
        """What is held may go although nobody has screened it, and with it what was there to be told apart."""
        self.release()
        self._channels.clear()

    def drop(self) -> None:
        """What is held will never go."""
        self._held = []
        self._held_bytes = self._held_characters = self._seen_characters = 0

    def take_ready(self) -> bytes:
        """What may go now, once."""
        ready = b"".join(self._ready)
        self._ready.clear()
        return ready

    def _note(self, name: Channel, text: str, said: set[bytes] | None) -> bool:
        """False for what says again, whole, what another channel has `said`: it is or will be screened there."""
        content = text.encode(errors="surrogatepass")
        channel = self._channels.get(name)
        if channel is None:
            channel = _Channel()
            channel.digest.update(content)
            if said is not None and _may_repeat(name):
                if (digest := channel.digest.digest()) in said:
                    return False
                said.add(digest)
            self._channels[name] = channel
        else:
            channel.digest.update(content)
        channel.new.append(text)
        if name not in self._changed:
            self._changed[name] = channel
            self._seen_characters += len(channel.seen)
        self._held_characters += len(text)
        return True


def _may_repeat(name: Channel) -> bool:
    """Responses say at the end of each text what it has come to, up to four times."""
    kind = name[0] if name else None
    return isinstance(kind, str) and kind.startswith("response.") and kind.endswith(ENDS)


def _spelled(name: Channel, channel: _Channel) -> str:
    """With the letters that escapes stand for; halves of one, whether escaped or of two events, are put together."""
    text = channel.seen + "".join(channel.new)
    if is_escaped(name):
        text = ESCAPE.sub(_letter, text)
    for _ in range(DEEPEST_ESCAPE):
        if "\\u" not in text:
            break
        text = UNICODE.sub(_letter, text)
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _letter(escape: re.Match[str]) -> str:
    code, *letters = escape.groups()
    return chr(int(code, 16)) if code else LETTERS.get(letters[0], letters[0])
