"""The tokenizer of this model, of its own making and far simpler than any real one.

A token is a run of word characters or a single other character, together with the white space before it; white space
at the end of a text is a token too. So tokens put together again give the text, and cutting between tokens never
changes the count of what is left.
"""

from __future__ import annotations

import re

TOKEN = re.compile(r"\s*(?:\w+|[^\w\s])|\s+")


def tokens_of(text: str) -> list[str]:
    """The tokens of a text, in order, with nothing lost between them."""
    return TOKEN.findall(text)


def count_tokens(text: str) -> int:
    """How many tokens a text has."""
    return len(tokens_of(text))
