"""An instance of its own, for tests to kill: counts a call every few milliseconds and prints when, until stdin ends."""

from __future__ import annotations

import asyncio
import sys
import time

from gateway.call import Call, Outcome
from gateway.llm.usage import Usage
from gateway.settings import Settings
from gateway.storage.tables import Tables
from gateway.storage.usage import UsageStore
from gateway.usage_recorder import UsageRecorder
from tests.policies.test_admit import entry
from tests.test_pipeline import make_call

PAUSE_SECONDS = 0.005


def finished_call() -> Call:
    """One that used 3 tokens for the prompt and 2 for the answer."""
    call = make_call()
    call.entry = entry()
    call.usage = Usage(3, 2)
    call.cost = 7
    return call


async def main(connection: str, flush_seconds: float) -> None:
    """Count until stdin ends, and then close properly."""
    tables = Tables(Settings(tables=connection))
    recorder = UsageRecorder(UsageStore(tables), frozenset(), flush_seconds)
    recorder.start()
    end = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    call = finished_call()
    while not end.done():
        recorder.record(call, Outcome(200))
        print(time.time(), flush=True)
        await asyncio.sleep(PAUSE_SECONDS)
    await recorder.aclose()
    await tables.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
