"""Where results are written."""

import json
from pathlib import Path

import pytest

from bench.documents import BEGIN, DOCUMENT, END, with_results, write_document, write_results
from bench.faults import BenchFailed
from tests.bench.sample_results import RESULTS


def test_only_the_marked_section_is_replaced() -> None:
    """What people wrote around it stays."""
    text = f"# Title\n\n{BEGIN}\nold\n{END}\n\nThe end.\n"
    assert with_results(text, "new\n") == f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\nThe end.\n"


def test_replacing_twice_changes_nothing() -> None:
    """A run after a run leaves the same document, if it had the same figures."""
    once = with_results(f"{BEGIN}\n{END}\n", "new\n")
    assert with_results(once, "new\n") == once


def test_a_document_without_the_marks_is_left_alone(tmp_path: Path) -> None:
    """The marks are named, and nothing is written."""
    document = tmp_path / "performance.md"
    document.write_text(f"{END} {BEGIN}")
    with pytest.raises(BenchFailed, match="no section between"):
        write_document("new", document)
    assert document.read_text() == f"{END} {BEGIN}"


def test_the_document_has_the_marks_and_results() -> None:
    """docs/performance.md holds the results of a run."""
    text = DOCUMENT.read_text()
    results = text.partition(BEGIN)[2].partition(END)[0]
    assert "- measured: 20" in results
    assert "| gateway | 32 |" in results


def test_both_files(tmp_path: Path) -> None:
    """Markdown for people, and every figure with its goal as JSON for programs."""
    markdown, data = write_results(tmp_path / "bench", RESULTS, "the report\n")
    assert markdown.read_text() == "# Results\n\nthe report\n"
    figures = json.loads(data.read_text())
    assert figures["memory"] == {"at_start": 60.0, "after": {"10000": 64.0, "100000": 70.5}}
    assert figures["goals"][0] == {
        "name": "requests/s at 32 connections, of those of nginx, plain proxy_pass",
        "measured": "0.200",
        "goal": "≥ 0.08 now",
        "met": True,
    }
