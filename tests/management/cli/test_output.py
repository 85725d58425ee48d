"""Tables for people, JSON for programs."""

import io
import json

import pytest

from gateway.management.cli.output import Table, aligned, cell, fields_table, json_text, print_ruled, printable

TABLE = Table(("NAME", "WHAT"), (("a", "first"), ("longer", "[bold]x[/bold]")))


def test_a_pipe_gets_aligned_columns() -> None:
    """Two spaces between, nothing behind the last."""
    assert aligned(TABLE) == "NAME    WHAT\na       first\nlonger  [bold]x[/bold]"


def test_a_terminal_gets_a_ruled_table() -> None:
    """What looks like rich's markup is printed as it is."""
    stream = io.StringIO()
    print_ruled(TABLE, stream)
    assert "NAME" in stream.getvalue()
    assert "───" in stream.getvalue()
    assert "[bold]x[/bold]" in stream.getvalue()


@pytest.mark.parametrize("render", [aligned, lambda table: ruled(table)], ids=["pipe", "terminal"])
def test_text_from_elsewhere_cannot_steer_the_terminal(render: object) -> None:
    """Control characters are replaced."""
    assert callable(render)
    shown = render(Table(("A",), (("x\x1b]0;title\x07y\r\nz\u202e",),)))
    assert "x?]0;title?y  z?" in shown
    assert "\x1b" not in shown


def ruled(table: Table) -> str:
    """The table of a terminal, as text."""
    stream = io.StringIO()
    print_ruled(table, stream)
    return stream.getvalue()


def test_fields_have_paths() -> None:
    """Those of inner objects too."""
    document = {
        "kind": "Api",
        "products": ["a", "b"],
        "backend": {"url": "u", "timeouts": {"connect": 1.5}},
        "none": [],
    }
    assert fields_table(document).rows == (
        ("kind", "Api"),
        ("products", "a, b"),
        ("backend.url", "u"),
        ("backend.timeouts.connect", "1.5"),
        ("none", "-"),
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), ("", "-"), ((), "-"), (True, "yes"), (False, "no"), (0, "0"), (["a", True], "a, yes")],
)
def test_values_are_readable(value: object, text: str) -> None:
    """Nothing is shown as nothing; truth as yes and no."""
    assert cell(value) == text


def test_json_is_one_document_in_ascii() -> None:
    """So no control character of a value reaches a terminal, and no encoding is in question."""
    text = json_text({"name": "ü\u009b"})
    assert text.isascii()
    assert json.loads(text) == {"name": "ü\u009b"}


def test_ordinary_text_stays_as_it_is() -> None:
    """Other scripts and symbols included."""
    assert printable("Größe … 模型 🙂") == "Größe … 模型 🙂"
