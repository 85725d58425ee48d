"""What storage keeps for one counter key: how much of each of its meters has been granted, slot by slot."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from gateway.ledger.meters import Meter, meter_named

FORMAT = 1

# So many writers find their last write in the record, however often the others have written since.
WRITERS_REMEMBERED = 128

# What no longer counts by one instance's clock may still count by another's.
GRACE_SECONDS = 10.0


@dataclass(slots=True)
class Count:
    """What was granted of one meter, and the limit that was last applied to it, for people to see."""

    slots: dict[int, int] = field(default_factory=dict)
    limit: int = 0

    def add(self, slot: int, amount: int) -> None:
        """Count more, or with a negative amount less. Never below 0."""
        total = self.slots.get(slot, 0) + amount
        if total > 0:
            self.slots[slot] = total
        else:
            self.slots.pop(slot, None)


@dataclass(slots=True)
class Record:
    """All meters of one counter key. `epoch` grows when an operator sets the counter to 0."""

    counts: dict[Meter, Count] = field(default_factory=dict)
    epoch: int = 0
    # The last mark of each writer, the latest last: who did not hear whether a write arrived can look for its mark.
    writes: list[str] = field(default_factory=list)

    def used(self, meter: Meter, moment: float) -> int:
        """What counts against limits on this meter."""
        count = self.counts.get(meter)
        return 0 if count is None else meter.window.used(count.slots, moment)

    def count(self, meter: Meter) -> Count:
        """The meter's count, made if it is not there."""
        found = self.counts.get(meter)
        if found is None:
            found = self.counts[meter] = Count()
        return found

    def copy(self) -> Record:
        """One that can be changed without changing this."""
        counts = {meter: Count(dict(count.slots), count.limit) for meter, count in self.counts.items()}
        return Record(counts, self.epoch, list(self.writes))

    def marked(self, writer: str, mark: str) -> None:
        """Remember a writer's last mark; who has not written for longest is forgotten."""
        others = [write for write in self.writes if not write.startswith(f"{writer}:")]
        self.writes = [*others[-WRITERS_REMEMBERED + 1 :], f"{writer}:{mark}"]

    def has(self, writer: str, mark: str) -> bool:
        """True if this is the last mark of the writer."""
        return f"{writer}:{mark}" in self.writes

    def forget(self, moment: float) -> None:
        """Drop what counts nowhere any more."""
        for meter, count in list(self.counts.items()):
            past = moment - GRACE_SECONDS
            count.slots = {slot: amount for slot, amount in count.slots.items() if _counts(meter, slot, past)}
            if not count.slots:
                del self.counts[meter]

    def to_text(self) -> str:
        """As it is stored."""
        meters = {
            meter.name: {"limit": count.limit, "slots": {str(slot): amount for slot, amount in count.slots.items()}}
            for meter, count in self.counts.items()
        }
        document = {"format": FORMAT, "epoch": self.epoch, "writes": self.writes, "meters": meters}
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """As it was stored; raise ValueError if it is nothing that was."""
        try:
            document = json.loads(text)
            if document["format"] != FORMAT:
                raise ValueError(f"the record has format {document['format']}; this version reads {FORMAT}")
            counts = dict(_counts_in(document["meters"].items()))
            return cls(counts, int(document["epoch"]), [str(write) for write in document["writes"]])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("the record is not one of the ledger's") from error


def _counts(meter: Meter, slot: int, moment: float) -> bool:
    return meter.window.counts_until(slot) > moment


def _counts_in(meters: Iterable[tuple[str, Any]]) -> Iterable[tuple[Meter, Count]]:
    for name, stored in meters:
        slots = {int(slot): int(amount) for slot, amount in stored["slots"].items()}
        yield meter_named(name), Count(slots, int(stored["limit"]))
