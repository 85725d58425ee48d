"""What is held of a stream, and what is looked at before it goes."""

import hashlib
import random
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.safety.answers.windows import MOST_CHANNELS, MOST_HELD_BYTES, Windows

A: Any = ("a",)
B: Any = ("b",)


def test_what_says_nothing_goes_at_once() -> None:
    """Unless something is held before it: nothing overtakes."""
    windows = Windows(10, 2)
    windows.add(b"1", [])
    assert windows.take_ready() == b"1"
    windows.add(b"2", [(A, "text")])
    windows.add(b"3", [])
    assert windows.take_ready() == b""
    windows.release()
    assert windows.take_ready() == b"23"
    assert windows.take_ready() == b""


def test_a_window_has_room_for_its_size() -> None:
    """In code points, of all channels together; a single text that is longer is a window by itself."""
    windows = Windows(10, 2)
    assert windows.has_room_for(1_000)
    windows.add(b"", [(A, "四" * 6)])
    assert [windows.has_room_for(more) for more in (4, 5)] == [True, False]
    windows.add(b"", [(B, "x" * 4)])
    assert [windows.has_room_for(more) for more in (0, 1)] == [True, False]
    windows.release()
    assert (windows.has_room_for(1_000), windows.holds_something) == (True, False)


def test_what_is_screened_again_takes_room_too() -> None:
    """So that a window is never longer than its size, which is what the service charges by."""
    windows = Windows(10, 3)
    windows.add(b"", [(A, "abcdefgh"), (B, "xy")])
    windows.release()
    windows.add(b"", [(A, "i")])
    assert [windows.has_room_for(more) for more in (6, 7)] == [True, False]
    windows.add(b"", [(B, "z")])
    # However many texts there are, their overlaps together take the room of one.
    assert [windows.has_room_for(more) for more in (5, 6)] == [True, False]


def test_a_size_of_0_has_room_for_everything() -> None:
    """It waits for the end."""
    windows = Windows(0, 2)
    windows.add(b"x", [(A, "x" * 100_000)])
    assert windows.has_room_for(100_000)
    assert windows.holds_something


def test_each_window_begins_with_the_end_of_the_one_before() -> None:
    """Of the same text: what another says between is no part of it."""
    windows = Windows(4, 3)
    windows.add(b"", [(A, "abcdef")])
    assert windows.text() == "abcdef"
    windows.release()
    windows.add(b"", [(B, "xy")])
    windows.add(b"", [(A, "gh")])
    assert windows.text() == "xy\ndefgh"
    windows.release()
    windows.add(b"", [(A, "i")])
    assert windows.text() == "fghi"


def test_escapes_are_read_where_the_text_is_json() -> None:
    """Also one that two events have between them."""
    windows = Windows(0, 0)
    windows.add(b"", [(("arguments",), '{"q":"\\u0073\\u00'), (("arguments",), '74ab\\n\\"now\\""}')])
    windows.add(b"", [(A, "\\n\\u0073tays")])
    assert windows.text() == '{"q":"stab\n"now""}\n\\nstays'


def test_escapes_of_escapes_are_read() -> None:
    """JSON in JSON, which a tool may read twice."""
    windows = Windows(0, 0)
    windows.add(b"", [(("arguments",), '{"a": "{\\"b\\": \\"\\\\u0073tab\\"}"}')])
    assert "stab" in windows.text()


def test_halves_of_a_letter_are_put_together() -> None:
    """As escapes, and as events that are cut within it; half of one alone is no letter."""
    windows = Windows(0, 0)
    windows.add(b"", [(("arguments",), "\\ud83d\\ude00"), (A, "\ud83d")])
    windows.add(b"", [(A, "\ude00"), (B, "x\ud83d")])
    assert windows.text() == "\U0001f600\n\U0001f600\nx\ufffd"


def test_what_is_said_again_at_the_end_is_not_screened_again() -> None:
    """Responses repeat each text; but only the whole of it is a repetition."""
    windows = Windows(10, 2)
    delta: Any = ("response.output_text.delta", "i", 0, "delta")
    windows.add(b"1", [(delta, "Good "), (delta, "morning")])
    windows.release()
    windows.take_ready()
    windows.add(b"2", [(("response.output_text.done", "i", 0, "text"), "Good morning")])
    windows.add(b"3", [(("response.completed", "output", 0), "Good morning")])
    assert windows.take_ready() == b"23"
    windows.add(b"4", [(("response.output_text.done", "i", 1, "text"), "Good")])
    assert (windows.take_ready(), windows.text()) == (b"", "Good")


def test_a_text_that_begins_like_another_is_a_text_of_its_own() -> None:
    """Two choices may begin alike; if the second's beginning were left out, it would be missed at the seam."""
    windows = Windows(100, 10)
    windows.add(b"", [(A, "massa")])
    windows.add(b"", [(B, "massa")])
    windows.add(b"", [(B, "cre")])
    assert windows.text() == "massa\nmassacre"


@pytest.mark.parametrize("overlap", [0, 1, 7, 30])
def test_everything_is_screened_with_what_came_before_it(overlap: int) -> None:
    """However the text is cut to events: the windows cover it, and each word no longer than the overlap is whole."""
    chance = random.Random(7)
    for _ in range(200):
        text = "".join(chance.choice("abc ") for _ in range(chance.randint(1, 200)))
        size = chance.randint(overlap + 1, 60)
        windows, sent, screened = Windows(size, overlap), "", 0
        start = 0
        while start < len(text):
            event = text[start : start + chance.randint(1, 12)]
            if not windows.has_room_for(len(event)):
                assert windows.text() == text[max(0, screened - overlap) : start]
                assert len(windows.text()) <= max(size, overlap + 12)
                screened = start
                windows.release()
            windows.add(event.encode(), [(A, event)])
            start += len(event)
            sent += windows.take_ready().decode()
            assert sent == text[:screened]
        assert windows.text() == text[max(0, screened - overlap) :]


def test_there_is_an_end_to_what_is_held() -> None:
    """In bytes, and in texts that are told apart."""
    windows = Windows(0, 0)
    windows.add(b"x" * MOST_HELD_BYTES, [(A, "x")])
    assert not windows.is_overfull
    windows.add(b"x", [])
    assert windows.is_overfull
    windows = Windows(0, 0)
    windows.add(b"", [((str(number),), "x") for number in range(MOST_CHANNELS + 1)])
    assert windows.is_overfull


def test_what_was_too_much_is_forgotten() -> None:
    """What comes after it is screened again."""
    windows = Windows(0, 10)
    windows.add(b"1", [((str(number),), "x") for number in range(MOST_CHANNELS + 1)])
    windows.release_all()
    assert (windows.is_overfull, windows.take_ready()) == (False, b"1")
    windows.add(b"2", [(A, "stab")])
    assert (windows.text(), windows.take_ready()) == ("stab", b"")


def test_repetitions_are_looked_for_once_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event with very many texts must not keep everybody else waiting."""
    asked = 0

    class Counted:
        def __init__(self, digest_size: int) -> None:
            self._digest = hashlib.blake2b(digest_size=digest_size)
            self.update = self._digest.update

        def digest(self) -> bytes:
            nonlocal asked
            asked += 1
            return self._digest.digest()

    monkeypatch.setattr("gateway.safety.answers.windows.hashlib", SimpleNamespace(blake2b=Counted))
    windows = Windows(0, 0)
    for event in range(3):
        windows.add(b"", [(("response.completed", event, number), f"{event} {number}") for number in range(500)])
    assert asked <= 3 * 500 + 500 + 1_000


def test_backslashes_are_looked_at_once() -> None:
    """A million of them before a letter would otherwise take hours."""
    windows = Windows(0, 0)
    windows.add(b"", [(A, "\\" * 1_000_000 + "x\\u0073tab"), (("arguments",), "\\" * 1_000_000 + "x\\u0073tab")])
    first, second = windows.text().split("\n")
    assert (first.endswith("xstab"), second.endswith("xstab")) == (True, True)
