"""Route templates, one by one; that requests follow them is tested in test_host.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.host_routes import RouteError, build_routes, decode_path, is_reserved, read_route_prefix


def function(name: str, **trigger: Any) -> dict[str, Any]:
    binding = json.dumps({"type": "httpTrigger", "name": "req", "authLevel": "ANONYMOUS"} | trigger)
    return {"id": f"id of {name}", "name": name, "bindings": [binding, '{"type": "http", "name": "$return"}']}


def match(path: str, prefix: str = "", **trigger: Any) -> dict[str, str] | None:
    found = build_routes([function("sample", **trigger)], prefix).match("GET", path)
    return None if found is None else found[1]


@pytest.mark.parametrize(
    ("route", "path", "parameters"),
    [
        ("a/b", "/a/b", {}),
        ("a/b", "/A/B/", {}),
        ("a/b", "/a/bc", None),
        ("a/b", "/a", None),
        ("a.b", "/axb", None),
        ("{one}", "/x", {"one": "x"}),
        ("{one}", "/x/y", None),
        ("{one}", "/", None),
        ("a/{one?}", "/a", {}),
        ("a/{one?}", "/a/x", {"one": "x"}),
        ("a/{n:int}", "/a/-12", {"n": "-12"}),
        ("a/{n:int}", "/a/1x", None),
        ("a/{n:int?}", "/a", {}),
        ("a/{w:alpha}", "/a/word", {"w": "word"}),
        ("a/{w:alpha}", "/a/w0rd", None),
        ("a/{g:guid}", "/a/0f8fad5b-d9cb-469f-a165-70867728950e", {"g": "0f8fad5b-d9cb-469f-a165-70867728950e"}),
        ("a/v{major}.{minor}", "/a/v1.2", {"major": "1", "minor": "2"}),
        ("{*rest}", "/", {}),
        ("{*rest}", "/x/y", {"rest": "x/y"}),
        ("{**rest}", "/x//y", {"rest": "x//y"}),
        ("a/{*rest}", "/a", {}),
        ("a/{*rest}", "/a/x/y", {"rest": "x/y"}),
        ("a/{*rest}", "/ab", None),
        (None, "/sample", {}),
        ("", "/sample", {}),
        ("", "/", None),
    ],
)
def test_templates(route: str | None, path: str, parameters: dict[str, str] | None) -> None:
    """Each kind of template takes the paths it should, and no others."""
    assert match(path, route=route) == parameters


@pytest.mark.parametrize("route", ["{n:nonsense}", "{", "a}", "{a b}"])
def test_unknown_templates_are_refused(route: str) -> None:
    """What this host cannot match it says at the start, naming the function."""
    with pytest.raises(RouteError, match="sample"):
        match("/x", route=route)


def test_prefix_stands_before_every_route() -> None:
    """The route prefix belongs to the path."""
    assert match("/api/a", prefix="api", route="a") == {}
    assert match("/a", prefix="api", route="a") is None


def test_names_decide_the_order_and_underscores_come_last() -> None:
    """Names are compared as the host does, in upper case, where an underscore sorts after the letters."""
    names = ["zz", "A_b", "ab", "Aa"]
    table = build_routes([function(name, route="x") for name in names], "")
    assert [found.name for found in table.functions] == ["Aa", "ab", "A_b", "zz"]


def test_functions_without_an_http_trigger_have_no_route() -> None:
    """A timer is none of the front's business."""
    timer = {"id": "1", "name": "timer", "bindings": ['{"type": "timerTrigger", "name": "timer"}']}
    assert build_routes([timer], "").functions == ()


def test_level_is_function_when_none_is_given() -> None:
    """A trigger that says nothing is not open to everyone."""
    assert build_routes([function("sample", authLevel=None)], "").functions[0].level == "function"


@pytest.mark.parametrize(
    ("settings", "prefix"),
    [
        (None, "api"),
        ("{}", "api"),
        ('{"extensions": {"http": {"routePrefix": ""}}}', ""),
        ('{"extensions": {"http": {"routePrefix": "v2"}}}', "v2"),
    ],
)
def test_route_prefix_of_host_json(tmp_path: Path, settings: str | None, prefix: str) -> None:
    """The prefix is the app's own, or `api`."""
    if settings is not None:
        (tmp_path / "host.json").write_text(settings)
    assert read_route_prefix(tmp_path) == prefix


def test_broken_host_json_is_said(tmp_path: Path) -> None:
    """The message names the file."""
    (tmp_path / "host.json").write_text("{")
    with pytest.raises(RouteError, match=r"host\.json"):
        read_route_prefix(tmp_path)


@pytest.mark.parametrize(
    ("path", "reserved"),
    [
        ("/admin", True),
        ("/Admin/x", True),
        ("/runtime/", True),
        ("/%61%64min", True),
        ("/admin%2Fx", True),
        ("/./admin", True),
        ("/x/../admin", True),
        ("/administrator", False),
        ("/x/admin", False),
        ("/%2561dmin", False),
        ("/", False),
        ("*", False),
    ],
)
def test_reserved_paths(path: str, reserved: bool) -> None:
    """The first segment decides, after decoding once."""
    assert is_reserved(path) is reserved


def test_encoded_slashes_stay_encoded() -> None:
    """A slash within a segment does not become a border between two."""
    assert decode_path("/a%2fb%20c/%E2%82%AC") == "/a%2fb c/€"
