"""Runs the stand-in in a thread, for tests."""

from __future__ import annotations

from collections import Counter
from typing import Any

from local.content_safety.application import create_application
from local.content_safety.blocklists import Blocklists
from local.content_safety.faults import Fault, Plan
from local.content_safety.journal import Journal
from local.model.server import StandInServer


class SafetyServer(StandInServer):
    """The stand-in on a free port of 127.0.0.1, from construction to `close()`. `root` is its endpoint."""

    def __init__(self, key: str | None = None, delay: float = 0.0) -> None:
        self._journal = Journal()
        self._plan = Plan(delay)
        self.blocklists = Blocklists()
        application = create_application(self._journal, self._plan, self.blocklists, key)
        super().__init__("stand-in content safety", application, self._journal)

    @property
    def url(self) -> str:
        """The endpoint, as a Backend document has it."""
        return self.root

    def fail(self, **fault: Any) -> None:
        """Plan one more fault; the fields are those of `Fault`."""
        self._plan.add(Fault(**fault))

    def hold(self) -> None:
        """Keep the requests that come from now on waiting, until `release()`."""
        self._plan.holding = True

    def release(self) -> None:
        """Answer what waits."""
        self._plan.holding = False

    def set_delay(self, seconds: float) -> None:
        """The service's own time, for requests without a fault."""
        self._plan.delay = seconds

    def asked(self, operation: str) -> list[dict[str, Any]]:
        """The bodies of an operation's requests."""
        return self._journal.asked(operation)

    def texts(self) -> Counter[str]:
        """How often each text was analysed."""
        return self._journal.texts()

    def shielded(self) -> Counter[str]:
        """How often each text was looked at for an attack."""
        return self._journal.shielded()

    def reset(self) -> None:
        """No faults, no delay, no blocklists, counters at zero."""
        self._plan.clear()
        self._plan.delay = 0.0
        self.blocklists.clear()
        super().reset()
