"""What a prompt gives to be worked on, where every word of it counts, or every bracket."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.cache.guarding.language.lists import these
from gateway.cache.guarding.language.splitting import Token

CODE = re.compile(r"[{}\[\]()<>=+*\\|&^$#@~_;`]")
# Less are remarks in brackets, C++ and the like.
FEWEST_SIGNS = 5
# Prompts with these work on a text that they quote. Stems, because they come in all forms.
TASKS = tuple(
    these(
        """
        translat summari rewrit rephras reword paraphras proofread correct shorten simplif classif grammar polite
        sentence text passage paragraph phrase expression idiom say quote spell pronounc email tone error message
        """
    )
)


def material(tokens: Sequence[Token]) -> str:
    """All quoted words, where a task asks for work on them."""
    quoted = [token.text + token.suffix for token in tokens if token.is_quoted]
    asks_for_work = any(token.text.startswith(TASKS) for token in tokens if not token.is_quoted)
    return " ".join(quoted) if asks_for_work else ""


def code(text: str) -> str:
    """All brackets and operators in their order, where there are so many that the text holds code."""
    signs = "".join(CODE.findall(text))
    return signs if len(signs) >= FEWEST_SIGNS else ""
