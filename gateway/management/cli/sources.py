"""Documents from files, folders and standard input."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from gateway.catalog.loading import parse_documents
from gateway.catalog.models import Document
from gateway.errors import CatalogError, Fault

STANDARD_INPUT = "-"
SUFFIXES = frozenset({".yaml", ".yml", ".json"})


def read_documents(sources: Sequence[str], directory: Path) -> list[Document]:
    """The documents of every file named, in order; raise CatalogError with the faults of all of them."""
    documents: list[Document] = []
    faults: list[Fault] = []
    for source in sources:
        for name, file in _files(source, directory):
            try:
                documents += parse_documents(_text(name, file), name)
            except CatalogError as error:
                faults += error.faults
    if not documents and not faults:
        faults.append(Fault(", ".join(sources), "has no documents"))
    if faults:
        raise CatalogError(faults)
    return documents


def _files(source: str, directory: Path) -> Iterator[tuple[str, Path | None]]:
    """What faults call each file, and where it is; None is standard input."""
    place = directory / source
    if source == STANDARD_INPUT:
        yield "standard input", None
    elif place.is_dir():
        yield from ((str(Path(source) / file.relative_to(place)), file) for file in _files_in(place))
    else:
        yield source, place


def _files_in(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())


def read_standard_input() -> bytes:
    """All of it."""
    content: bytes = sys.stdin.buffer.read()
    return content


def _text(name: str, file: Path | None) -> str:
    try:
        content = file.read_bytes() if file else read_standard_input()
        text = content.decode(_encoding_of(content))
    except UnicodeDecodeError as error:
        raise CatalogError([Fault(name, f"is not UTF-8 text (byte {error.start}); save it as UTF-8")]) from error
    except OSError as error:
        raise CatalogError([Fault(name, f"cannot be read: {error.strerror}")]) from error
    if "\0" in text:
        raise CatalogError([Fault(name, "is not UTF-8 text, for it has zero bytes; save it as UTF-8")])
    return text


def _encoding_of(content: bytes) -> str:
    """UTF-8, or what PowerShell writes when the output of `export` goes to a file there."""
    is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return "utf-16" if is_utf_16 else "utf-8-sig"
