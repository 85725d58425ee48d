"""What callers say about the cache."""

import pytest

from gateway.cache.wish import Wish, wish_of
from gateway.errors import CallerError

WISHES = {
    "nothing": ([], Wish()),
    "another header": ([(b"accept", b"no-cache")], Wish()),
    "another directive": ([(b"cache-control", b"max-age=0")], Wish()),
    "no-cache": ([(b"cache-control", b"no-cache")], Wish(looks_up=False)),
    "no-store": ([(b"cache-control", b"no-store")], Wish(looks_up=False, keeps=False)),
    "among others, in any case": ([(b"cache-control", b"max-age=0,  No-Store ")], Wish(looks_up=False, keeps=False)),
    "in two headers": (
        [(b"cache-control", b"no-store"), (b"cache-control", b"no-cache")],
        Wish(looks_up=False, keeps=False),
    ),
    "a distance": ([(b"x-cache-max-distance", b"0.02")], Wish(max_distance=0.02)),
    "the same text": ([(b"x-cache-max-distance", b"0")], Wish(max_distance=0.0)),
}


@pytest.mark.parametrize("name", WISHES)
def test_wishes(name: str) -> None:
    """By headers alone, whose names are in lower case already."""
    headers, expected = WISHES[name]
    assert wish_of(headers) == expected


@pytest.mark.parametrize("value", [b"", b"near", b"-0.1", b"2.1", b"nan", b"inf", b"0,05", b"\xff"])
def test_a_distance_that_is_none(value: bytes) -> None:
    """400, with what to write."""
    with pytest.raises(CallerError, match="from 0 to 2") as caught:
        wish_of([(b"x-cache-max-distance", value)])
    assert caught.value.status == 400


@pytest.mark.parametrize(("wished", "expected"), [(None, 0.05), (0.02, 0.02), (0.5, 0.05), (0.0, 0.0)])
def test_only_stricter(wished: float | None, expected: float) -> None:
    """Callers may make a policy stricter, never looser."""
    assert Wish(max_distance=wished).threshold(0.05) == expected
