"""What the policies need, built once by `app.py` and handed to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.backends.client import BackendClient
from gateway.cache.service import AnswerCache
from gateway.call import EndCallback
from gateway.ledger.ledger import Ledger
from gateway.llm.tokenizer import Tokenizer
from gateway.policies.drain import Drains
from gateway.policies.key_cache import KeyCache
from gateway.safety.screeners import Screeners

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Services:
    """One of each; tests hand in their own."""

    key_cache: KeyCache
    backend_client: BackendClient
    tokenizer: Tokenizer
    ledger: Ledger
    drains: Drains
    cache: AnswerCache
    screeners: Screeners
    # What is told of every call when it is over.
    recorders: Sequence[EndCallback]
    clock: Clock
    function_auth: bool
