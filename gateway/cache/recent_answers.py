"""Answers that were written or served of late, so that one that many ask for needs no storage."""

from __future__ import annotations

from collections import OrderedDict

# Of an answer's place in memory, beside its bytes.
BESIDE_BYTES = 200


class RecentAnswers:
    """Answers by the ids of their entries. Bounded to `most_bytes`; the least recently used leave first."""

    def __init__(self, most_bytes: int) -> None:
        self.bytes_held = 0
        self._most_bytes = most_bytes
        self._answers: OrderedDict[str, bytes] = OrderedDict()

    def get(self, id: str) -> bytes | None:
        """An answer, if it is still here."""
        answer = self._answers.get(id)
        if answer is not None:
            self._answers.move_to_end(id)
        return answer

    def put(self, id: str, answer: bytes) -> None:
        """Hold an answer, unless it would leave room for little else."""
        self.forget(id)
        if len(answer) > self._most_bytes // 8:
            return
        self._answers[id] = answer
        self.bytes_held += len(answer) + BESIDE_BYTES
        while self.bytes_held > self._most_bytes:
            _, oldest = self._answers.popitem(last=False)
            self.bytes_held -= len(oldest) + BESIDE_BYTES

    def forget(self, id: str) -> None:
        """Let go of an answer."""
        answer = self._answers.pop(id, None)
        if answer is not None:
            self.bytes_held -= len(answer) + BESIDE_BYTES
