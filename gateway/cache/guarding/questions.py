"""What a prompt asks with: why, when, where, who, how; may or must; of the past or the future."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.cache.guarding.fingerprint import Question
from gateway.cache.guarding.language.function_words import EMPTY
from gateway.cache.guarding.language.lists import these
from gateway.cache.guarding.language.splitting import SENTENCE
from gateway.cache.guarding.reading import Word

ASKING_WITH = {
    "why": Question.WHY,
    "when": Question.WHEN,
    "where": Question.WHERE,
    "who": Question.WHO,
    "whom": Question.WHO,
    "whose": Question.WHO,
}
AMOUNTS = these("many much often long far old tall big high deep heavy")
AUXILIARIES = these(
    """
    do does did can could should would will may might must is are was were am to has have had shall
    """
)
PERMISSION = frozenset({"can", "could", "may", "might"})
OBLIGATION = frozenset({"must", "should"})
NECESSITY = (["have", "to"], ["need", "to"])
# How far the subject may be from there: `Does my landlord have to`.
REACH = 6
SUBJECTS = frozenset({"i", "we", "you", "one"})
FUTURE = frozenset({"will", "'ll", "shall"})
PAST = frozenset({"did", "was", "were", "had"})
DOES = frozenset({"do", "does", "did", "should", "can", "could", "must", "may", "will", "would"})
# A preposition may stand before the word that asks: `By when`.
LEADING = 2


def questions(words: Sequence[Word]) -> Question:
    """All of them together, for all sentences."""
    texts = [word.text for word in words]
    found = Question.NONE
    for position in _heads(words):
        found |= _asked(texts, position)
    if not FUTURE.isdisjoint(texts):
        found |= Question.FUTURE
    if not PAST.isdisjoint(texts):
        found |= Question.PAST
    return found


def _heads(words: Sequence[Word]) -> Iterator[int]:
    """Where a question may begin: after the end of a sentence or a comma, and a preposition later."""
    for position, word in enumerate(words):
        if not word.token.after:
            continue
        yield position
        if word.token.after == SENTENCE and word.text in EMPTY and position + 1 < len(words):
            yield position + 1


def _asked(texts: Sequence[str], position: int) -> Question:
    word, behind = texts[position], texts[position + 1] if position + 1 < len(texts) else ""
    if word == "how":
        return _how(behind)
    if word == "who" and behind:
        return Question.WHO | _doing(texts, position + 1)
    if word in ASKING_WITH:
        return ASKING_WITH[word]
    if word in PERMISSION and behind in SUBJECTS:
        return Question.MAY
    if word in OBLIGATION and behind in SUBJECTS:
        return Question.MUST
    if word in ("do", "does") and any(
        texts[place : place + 2] in NECESSITY for place in range(position, position + REACH)
    ):
        return Question.MUST
    return Question.NONE


def _how(behind: str) -> Question:
    if behind in AMOUNTS:
        return Question.AMOUNT
    return Question.HOW if behind in DOES or behind == "to" else Question.NONE


def _doing(texts: Sequence[str], position: int) -> Question:
    """`Who hired Anna` asks who does it, `Who did Anna hire` to whom it is done."""
    if texts[position] in DOES:
        return Question.TO_WHOM
    return Question.NONE if texts[position] in AUXILIARIES else Question.WHO_DOES
