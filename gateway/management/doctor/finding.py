"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

# `warning`: calls work, but something is not as it should be. `skipped`: there is nothing to check, or no way to.
State = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. Neither text holds a secret; `mend` says what to do, or to type."""

    check: str
    state: State
    said: str
    mend: str = ""

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {"check": self.check, "state": self.state, "said": self.said, "mend": self.mend or None}
