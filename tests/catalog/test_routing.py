"""Which API a path belongs to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalog.routing import Routes

ROUTES = Routes({path: path for path in ("openai", "openai/eu", "a/b/c", "Mixed.Case", "~x_y-z")})
WITH_ROOT = Routes({path: path for path in ("", "openai")})


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("openai", ("openai", "")),
        ("openai/", ("openai", "")),
        ("openai/v1/chat/completions", ("openai", "v1/chat/completions")),
        ("openai/eu/x", ("openai/eu", "x")),
        ("openai/eux", ("openai", "eux")),
        ("OpenAI/EU/Models", ("openai/eu", "Models")),
        ("openai//x", ("openai", "/x")),
        ("openaix", None),
        ("a/b/c", ("a/b/c", "")),
        ("a/b/c/d/e/f/g", ("a/b/c", "d/e/f/g")),
        ("a/b", None),
        ("a", None),
        ("", None),
        ("/openai", None),
        ("mixed.case/y", ("Mixed.Case", "y")),
        ("~x_y-z/%2F%3a", ("~x_y-z", "%2F%3a")),
        ("%6Fpenai/x", None),
        ("openai%2Feu/x", None),
        ("\xd6/x", None),
    ],
)
def test_the_longest_path_on_whole_segments_wins(path: str, found: tuple[str, str] | None) -> None:
    """Case of the API's path does not matter; escapes are not undone; the rest stays as it came."""
    assert ROUTES.find(path) == found


@pytest.mark.parametrize(
    ("path", "rest"), [("", ""), ("chat/completions", "chat/completions"), ("x/", "x/"), ("//", "//")]
)
def test_the_root_has_what_no_other_api_has(path: str, rest: str) -> None:
    """An API with the path "" gets the whole path as the rest."""
    assert WITH_ROOT.find(path) == ("", rest)
    assert WITH_ROOT.find("openai/x") == ("openai", "x")


def test_no_apis_no_routes() -> None:
    """An empty catalog finds nothing and breaks nothing."""
    assert Routes({}).find("a/b") is None


SEGMENTS = st.lists(st.sampled_from(["a", "b", "A", "ab", ""]), min_size=1, max_size=6)
PATHS = st.sets(st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=4).map("/".join), max_size=6)


@given(PATHS, SEGMENTS.map("/".join))
def test_it_finds_what_a_slow_search_finds(paths: set[str], path: str) -> None:
    """Compared with trying every API path, the longest first."""
    expected = None
    for candidate in sorted(paths, key=len, reverse=True):
        if (path.lower() + "/").startswith(candidate + "/"):
            expected = (candidate, path[len(candidate) + 1 :])
            break
    assert Routes({each: each for each in paths}).find(path) == expected
