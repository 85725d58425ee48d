"""Where results are written: two files, and on request the marked section of docs/performance.md."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from bench.faults import BenchFailed
from bench.figures import Results
from bench.goals import judge
from local.processes import REPOSITORY

DOCUMENT = REPOSITORY / "docs" / "performance.md"
BEGIN = "<!-- results: written by `python -m bench --write-docs` -->"
END = "<!-- end of results -->"


def write_results(folder: Path, results: Results, report: str) -> tuple[Path, Path]:
    """results.md and results.json."""
    folder.mkdir(parents=True, exist_ok=True)
    markdown, data = folder / "results.md", folder / "results.json"
    markdown.write_text(f"# Results\n\n{report}")
    figures = asdict(results) | {"goals": [asdict(each) for each in judge(results)]}
    data.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    return markdown, data


def write_document(report: str, document: Path = DOCUMENT) -> None:
    """Put this run's results in place of the last ones."""
    document.write_text(with_results(document.read_text(), report))


def with_results(text: str, report: str, begin: str = BEGIN) -> str:
    """The document with everything between its two marks replaced."""
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(END)
    if not (found_begin and found_end):
        raise BenchFailed(f"the document has no section between the lines `{begin}` and `{END}` to put the results in")
    return f"{before}{begin}\n\n{report}\n{END}{after}"
