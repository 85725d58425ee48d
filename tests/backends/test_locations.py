"""Redirects name the gateway, never what is behind it."""

import pytest

from gateway.backends.locations import rewrite_location

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
