"""Where the host says what befell it: standard error, one line each."""

from __future__ import annotations

import sys


def log(message: str) -> None:
    print(f"host: {message}", file=sys.stderr, flush=True)
