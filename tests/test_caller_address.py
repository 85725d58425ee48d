"""The caller's address is what the platform's front end says, and never what the caller says."""

import pytest

from gateway.caller_address import caller_address

CASES = {
    "an address": (["203.0.113.7"], "203.0.113.7"),
    "with a port": (["203.0.113.7:4711"], "203.0.113.7"),
    "the last of several": (["1.1.1.1, 10.0.0.1, 203.0.113.7:4711"], "203.0.113.7"),
    "the last header": (["1.1.1.1", "203.0.113.7"], "203.0.113.7"),
    "IPv6": (["2001:db8::1"], "2001:db8::1"),
    "IPv6 with a port": (["[2001:db8::1]:4711"], "2001:db8::1"),
    "IPv6 in brackets": (["[2001:db8::1]"], "2001:db8::1"),
    "one address in two spellings": (["2001:0db8:0:0:0:0:0:1"], "2001:db8::1"),
    "no address": (["subscription:team-a+model"], ""),
    "empty": ([""], ""),
    "not there": ([], ""),
}


@pytest.mark.parametrize(("values", "expected"), CASES.values(), ids=CASES.keys())
def test_the_address(values: list[str], expected: str) -> None:
    """In one spelling, without its port; empty if it is none."""
    headers = [(b"x-forwarded-for", value.encode()) for value in values]
    assert caller_address([(b"accept", b"*/*"), *headers]) == expected
