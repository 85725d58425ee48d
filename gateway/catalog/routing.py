"""Which API a path belongs to: the longest API path on whole segments. Looked up for every request."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


class Routes[Entry]:
    """API paths, compared without regard to case; what follows them keeps its own."""

    __slots__ = ("_by_path", "_deepest", "_root")

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._by_path = MappingProxyType({path.lower(): entry for path, entry in entries.items() if path})
        self._root = entries.get("")
        self._deepest = max((path.count("/") + 1 for path in self._by_path), default=0)

    def find(self, path: str) -> tuple[Entry, str] | None:
        """The entry for a path without its leading slash, and the rest after the API's path and a slash.

        The path is taken as it was received, percent-encoded. No API path needs an escape, so none is undone.
        """
        ends = []
        end = -1
        for _ in range(self._deepest):
            end = path.find("/", end + 1)
            if end < 0:
                ends.append(len(path))
                break
            ends.append(end)
        for end in reversed(ends):
            entry = self._by_path.get(path[:end].lower())
            if entry is not None:
                return entry, path[end + 1 :]
        return None if self._root is None else (self._root, path)
