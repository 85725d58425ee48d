"""What every protocol's assembly does."""

from __future__ import annotations

from typing import Any, Protocol


class Assembly(Protocol):
    """Takes the events of one stream in turn, and has the whole answer in the end."""

    @property
    def size(self) -> int:
        """About how many characters are held."""

    def take(self, data: bytes) -> bool:
        """The data of the next event; true if it was the last one. Raises NotKept."""

    def whole(self) -> dict[str, Any]:
        """The answer as a caller gets it who does not stream. Raises NotKept."""
