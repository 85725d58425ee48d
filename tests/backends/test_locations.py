"""Redirects name the gateway, never what is behind it."""

import pytest

from gateway.backends.locations import rewrite_addresses, rewrite_location

BACKEND = "http://10.0.0.5:8000/v1"
CASES = {
    "absolute, below the backend's URL": ("http://10.0.0.5:8000/v1/files/a?x=1", "/openai/files/a?x=1"),
    "absolute path": ("/v1/files/a", "/openai/files/a"),
    "the backend's URL itself": ("http://10.0.0.5:8000/v1", "/openai"),
    "same origin, elsewhere": ("http://10.0.0.5:8000/other", None),
    "absolute path, elsewhere": ("/v10/files", None),
    "scheme-relative, same host": ("//10.0.0.5:8000/v1/files/a", "/openai/files/a"),
    "another origin": ("https://cdn.example.com/file", "https://cdn.example.com/file"),
    "same host, another port": ("http://10.0.0.5:9000/v1/files/a", "/openai/files/a"),
    "same host, another scheme, elsewhere": ("https://10.0.0.5/login", None),
    "same host, with a user name": ("http://user@10.0.0.5:8000/v1/a", "/openai/a"),
    "no URL at all": ("http://[10.0.0.5/v1", None),
    "dots": ("/v1/../admin", None),
    "encoded dots": ("/v1/%2e%2e/admin", None),
    "a second slash": ("/v1//evil.example/a", "/openai/evil.example/a"),
    "a scheme without a host": ("file:secret", None),
    "a trailing slash": ("/v1/files/", "/openai/files/"),
    "relative to the request": ("files/b", "files/b"),
    "encoded characters stay": ("/v1/files/a%2Fb", "/openai/files/a%2Fb"),
}


@pytest.mark.parametrize(("location", "expected"), CASES.values(), ids=CASES.keys())
def test_location(location: str, expected: str | None) -> None:
    """Each kind of Location a backend may send."""
    assert rewrite_location(location, BACKEND, "openai") == expected


def test_location_of_the_root_api() -> None:
    """An API at the root adds no segment."""
    assert rewrite_location("/v1/files/a", BACKEND, "") == "/files/a"
    assert rewrite_location("/v1//evil.example/a", BACKEND, "") == "/evil.example/a"
    assert rewrite_location("/v1", BACKEND, "") == "/"


ADDRESSES = {
    "location": ("/v1/files/a", "/openai/files/a"),
    "content-location": ("/v1/files/a", "/openai/files/a"),
    "operation-location": ("http://10.0.0.5:8000/v1/operations/7?api-version=1", "/openai/operations/7?api-version=1"),
    "azure-asyncoperation": ("http://10.0.0.5:8000/elsewhere", None),
    "link": (
        '<http://10.0.0.5:8000/v1/list?page=2>; rel="next", <https://example.com/terms>; rel="license"',
        '</openai/list?page=2>; rel="next", <https://example.com/terms>; rel="license"',
    ),
    "etag": ('"http://10.0.0.5:8000/v1"', '"http://10.0.0.5:8000/v1"'),
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_every_header_with_an_address(name: str) -> None:
    """None of those that hold addresses tells the backend's own; the others are not looked into."""
    value, expected = ADDRESSES[name]
    got = rewrite_addresses([(name.encode(), value.encode()), (b"x-kept", b"1")], BACKEND, "openai")
    assert got == [*([] if expected is None else [(name.encode(), expected.encode())]), (b"x-kept", b"1")]


@pytest.mark.parametrize(
    "links",
    [
        '<http://10.0.0.5:8000/v1/a>; rel="next", <http://10.0.0.5:8000/admin>; rel="up"',
        '</v1/a>; rel="next"; anchor="http://10.0.0.5:8000/v1/b"',
    ],
    ids=["a target", "a parameter"],
)
def test_links_with_one_that_has_no_address_outside(links: str) -> None:
    """Half a list of links would say something else, so all of it goes."""
    assert rewrite_addresses([(b"link", links.encode())], BACKEND, "openai") == []
