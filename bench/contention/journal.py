"""What a process writes down of each admission, in a file that survives its death, and how it is read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bench.spans import Admission

ADMITTED, GRANTED, REFUSED = "A", "G", "R"


class Journal:
    """Appends a line with one write of the system: a process that is killed has written it whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, kind: str, moment: float, amount: int) -> None:
        """One line."""
        os.write(self._file, f"{kind} {moment!r} {amount}\n".encode())

    def close(self) -> None:
        """Write no more."""
        os.close(self._file)


@dataclass(frozen=True)
class Entries:
    """All processes' journals together."""

    admissions: tuple[Admission, ...]
    grants: tuple[int, ...]
    refusals: int

    @classmethod
    def of(cls, journals: Iterable[Path]) -> Self:
        """Read them; raise ValueError at a line that is none."""
        lines = [line.split() for journal in journals for line in journal.read_text().splitlines()]
        admissions = (Admission(float(moment), int(amount)) for kind, moment, amount in lines if kind == ADMITTED)
        return cls(
            admissions=tuple(sorted(admissions)),
            grants=tuple(int(amount) for kind, _, amount in lines if kind == GRANTED),
            refusals=sum(kind == REFUSED for kind, _, _ in lines),
        )
