"""`don't` as `do` and `'t`, `what's` as `what` and `'s`."""

from __future__ import annotations

NOT = "'t"
SHORTENED = {"ca": "can", "wo": "will", "sha": "shall", "ai": "is", "can": "can"}


def apart(word: str) -> list[str]:
    """A lower-case word, and what was contracted with it."""
    if "'" not in word or len(word) < 3:
        return [word]
    if word.endswith("n't"):
        return [SHORTENED.get(word[:-3], word[:-3]), NOT]
    base, _, rest = word.partition("'")
    return [base, "'" + rest] if base and len(rest) <= 2 else [word.replace("'", "")]
