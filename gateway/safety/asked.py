"""What a caller sends, as it is screened."""

from __future__ import annotations

from typing import NamedTuple


class Asked(NamedTuple):
    """Each text of a request by itself; for the prompt shield, what the user says last, and what it is told to read.

    `unreadable` says that there is more which cannot be screened.
    """

    texts: tuple[str, ...] = ()
    user_prompt: str = ""
    documents: tuple[str, ...] = ()
    images: tuple[bytes, ...] = ()
    unreadable: bool = False
