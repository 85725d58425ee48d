"""Greetings, thanks and the like, which are no part of a question: `lists/openings.txt`, `closings`, `signatures`."""

from __future__ import annotations

from functools import cache

from gateway.cache.guarding.language.function_words import EMPTY
from gateway.cache.guarding.language.lists import lines, these
from gateway.cache.guarding.language.phrases import Phrases, phrase_at, phrases
from gateway.cache.guarding.language.splitting import SENTENCE, Token

LONGEST_CLOSING = 8
LONGEST_SIGNATURE = 3
LONGEST_NAME = 3
# With these the last sentence thanks, whatever else it says.
THANKS = these("thanks thank thx cheers tia")
LONGEST_THANKS = 8
# After these a name needs no comma.
# `I was hoping that you could tell me`: all of it is courtesy up to there, if nothing else is said before.
REQUESTS = phrases(
    (line, "") for line in ("tell me", "let me know", "show me", "help me", "explain to me", "remind me")
)
COURTEOUS = these(
    """
    hope hoping hoped wonder wondering curious possible possibly perhaps maybe chance mind like love appreciate
    appreciated kind kindly able great wonderful lovely nice helpful grateful glad happy trying need want someone
    anyone somebody anybody help team
    """
)
LONGEST_REQUEST = 12
# `Sorry for the late question, but`.
LONGEST_EXCUSE = 8
EXCUSES = these("sorry apologies excuse pardon forgive")
FAREWELLS = these("regards sincerely faithfully truly")


def without_courtesies(tokens: list[Token]) -> list[Token]:
    """What is left to be asked."""
    return _without_closings(_without_openings(_without_signature(tokens)))


@cache
def _courtesies(name: str) -> Phrases:
    return phrases((line, "") for line in lines(name))


def _without_signature(tokens: list[Token]) -> list[Token]:
    tokens = _without_thanks(tokens)
    words = [token.text for token in tokens]
    for position in range(max(1, len(tokens) - LONGEST_NAME - LONGEST_SIGNATURE), len(tokens)):
        token = tokens[position]
        if not token.after or token.is_quoted:
            continue
        length, _ = phrase_at(_courtesies("signatures"), words, position) or (0, ())
        end = position + length
        if length and (end == len(tokens) or tokens[end].after or words[end - 1] in FAREWELLS):
            return tokens[:position] if len(tokens) - end <= LONGEST_NAME else tokens
    return tokens


def _without_thanks(tokens: list[Token]) -> list[Token]:
    for position in range(max(1, len(tokens) - LONGEST_THANKS), len(tokens)):
        if tokens[position].after == SENTENCE and not tokens[position].is_quoted:
            return tokens[:position] if any(each.text in THANKS for each in tokens[position : position + 2]) else tokens
    return tokens


def _without_openings(tokens: list[Token]) -> list[Token]:
    words = [token.text for token in tokens]
    kept: list[Token] = []
    position, is_start = 0, True
    while position < len(tokens):
        token = tokens[position]
        is_start = is_start or token.after == SENTENCE
        length = _opening(tokens, words, position) if is_start and not token.is_quoted else 0
        if length:
            position += length
            continue
        kept.append(token.following(SENTENCE) if is_start else token)
        is_start = False
        position += 1
    return kept


def _opening(tokens: list[Token], words: list[str], position: int) -> int:
    found = phrase_at(_courtesies("openings"), words, position)
    excuse = _excuse(tokens, words, position)
    return excuse or (found[0] if found else _request(tokens, words, position))


def _request(tokens: list[Token], words: list[str], start: int) -> int:
    for position in range(start, min(start + LONGEST_REQUEST, len(words))):
        if found := phrase_at(REQUESTS, words, position):
            return position + found[0] - start
        is_courteous = words[position] in EMPTY or words[position] in COURTEOUS or words[position].startswith("'")
        if not is_courteous or (position > start and tokens[position].after == SENTENCE):
            return 0
    return 0


def _excuse(tokens: list[Token], words: list[str], start: int) -> int:
    if words[start] not in EXCUSES:
        return 0
    for position in range(start + 1, min(start + LONGEST_EXCUSE, len(words))):
        if tokens[position].after == SENTENCE:
            return 0
        if words[position] == "but":
            return position + 1 - start
    return 0


def _without_closings(tokens: list[Token]) -> list[Token]:
    kept: list[Token] = []
    for token in tokens:
        if token.after == SENTENCE:
            _drop_closings(kept)
        kept.append(token)
    _drop_closings(kept)
    return kept


def _drop_closings(tokens: list[Token]) -> None:
    """From the end of what has been kept, as many as there are."""
    while length := _closing(tokens):
        del tokens[-length:]


def _closing(tokens: list[Token]) -> int:
    last = tokens[-LONGEST_CLOSING:]
    words = [token.text for token in last]
    for start, token in enumerate(last):
        if token.is_quoted or len(words) - start == len(tokens):
            continue
        found = phrase_at(_courtesies("closings"), words, start)
        if found and start + found[0] == len(words):
            return found[0]
    return 0
