"""Single events, cut from bytes that hold whole ones."""

import pytest

from gateway.llm.events import Event, split_events


def test_events_are_split_as_the_standard_says() -> None:
    """Any line end, several data lines, comments with the event they precede."""
    events = list(split_events(b": c\ndata: a\ndata:b\n\ndata: c\r\rdata: d\r\n\r\n"))
    assert [each.data for each in events] == [b"a\nb", b"c", b"d"]
    assert b"".join(each.raw for each in events) == b": c\ndata: a\ndata:b\n\ndata: c\r\rdata: d\r\n\r\n"


@pytest.mark.parametrize("data", [b"[DONE]", b"{broken", b"7", b"", b"[", b"[{}]", b" {}"])
def test_an_event_that_carries_no_object(data: bytes) -> None:
    """Whatever it carries."""
    assert Event(b"", data).document() is None
