"""What is in memory of some types, for tests that nothing stays behind."""

from __future__ import annotations

import gc


class Since:
    """Objects of these types that were made since this was: other tests may hold some of theirs."""

    def __init__(self, *types: type) -> None:
        gc.collect()
        self._types = types
        # Held, so that no new one gets the place of an old one, and so its id.
        self._before = self._all()
        self._known = {id(each) for each in self._before}

    @property
    def left(self) -> list[object]:
        """Those that are in memory now."""
        return [each for each in self._all() if id(each) not in self._known]

    def _all(self) -> list[object]:
        return [each for each in gc.get_objects() if isinstance(each, self._types)]
