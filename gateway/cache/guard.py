"""Whether the answer to one prompt may be given to another that is near it by its embedding.

Embeddings put `with cream` and `without cream`, `Milan to Zurich` and `Zurich to Milan`, 15 % and 18 % next to each
other. The guard reads the words: what one prompt says and the other does not must be courtesy, a function word, or
have a synonym there; numbers with their units, negations, and who does what to whom must be the same. In doubt it
refuses, which costs an answer from the model; a wrong agreement costs a wrong answer.

Two steps, because prompts are not stored: `fingerprint` once for each prompt, `disagreement` for each pair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gateway.cache.guarding.fingerprint import Fingerprint, Kind, Question, Term
from gateway.cache.guarding.language.others import ENGLISH
from gateway.cache.guarding.language.splitting import Token
from gateway.cache.guarding.material import code, material
from gateway.cache.guarding.order import exchanged
from gateway.cache.guarding.questions import questions
from gateway.cache.guarding.reading import read
from gateway.cache.guarding.terms import digest, terms_of
from gateway.cache.guarding.wording import missing, must_match

REASONS = {
    Kind.WORD: "content words differ",
    Kind.NUMBER: "numbers differ",
    Kind.UNIT: "units differ",
    Kind.TIME: "times differ",
    Kind.NEGATION: "negation differs",
}
ASKED = Question.WHY | Question.WHEN | Question.WHERE | Question.WHO | Question.HOW | Question.AMOUNT
# What a prompt asks about is one of these, not the other.
OPPOSED = (
    (Question.MAY, Question.MUST),
    (Question.PAST, Question.FUTURE),
    (Question.WHO_DOES, Question.TO_WHOM),
)


def fingerprint(text: str, key: bytes = b"") -> Fingerprint:
    """What is kept of a prompt. Only fingerprints with the same key (at most 64 bytes) can be compared."""
    reading = read(text)
    read_by_word, beyond = reading.tokens[: reading.length], reading.tokens[reading.length :]
    return Fingerprint(
        reading.language,
        questions(reading.words) if reading.language == ENGLISH else Question.NONE,
        digest(" ".join(text.casefold().split()), key, 8),
        _hash_of_any(material(read_by_word), key),
        _hash_of_any(code(text) + _joined(beyond), key),
        tuple(terms_of(reading, key)),
    )


def disagreement(cached: Fingerprint, asked: Fingerprint) -> str | None:
    """Why the answer to the first prompt is none to the second; None if it is one. Neither comes first: the same
    prompts exchanged give the same result.
    """
    if cached.exact == asked.exact:
        return None
    if cached.language != asked.language:
        return "languages differ"
    if cached.rest != asked.rest or (cached.material and asked.material and cached.material != asked.material):
        return "texts differ"
    return _first_reason(cached, asked)


def _first_reason(cached: Fingerprint, asked: Fingerprint) -> str | None:
    for meaning, kind in ((0, Kind.NUMBER), (-1, Kind.UNIT)):
        if _numbers_differ(cached.terms, asked.terms, meaning):
            return REASONS[kind]
    if _negations(cached) != _negations(asked) or _negates_another(cached, asked):
        return REASONS[Kind.NEGATION]
    if term := missing(cached.terms, asked.terms):
        return REASONS[term.kind]
    if _questions_differ(cached.questions, asked.questions):
        return "questions differ"
    if not any(must_match(term) for term in cached.terms):
        return "too few words to compare"
    if exchanged(cached, asked):
        return "order differs"
    return None


def _numbers_differ(cached: Sequence[Term], asked: Sequence[Term], meaning: int) -> bool:
    """True where a number has no counterpart; except for `one` as a word, which is often an article."""
    one, other = (
        Counter(term.meanings[meaning] for term in terms if term.kind is Kind.NUMBER) for terms in (cached, asked)
    )
    if one == other:
        return False
    articles = {term.meanings[meaning] for term in (*cached, *asked) if term.kind is Kind.NUMBER and term.is_optional}
    return bool(set((one - other) + (other - one)) - articles) or bool(one - other and other - one)


def _negations(prompt: Fingerprint) -> int:
    return sum(term.kind is Kind.NEGATION for term in prompt.terms)


def _negates_another(cached: Fingerprint, asked: Fingerprint) -> bool:
    """Each negates a word that the other does not: `swim but not run`, `run but not swim`."""
    return _affirms_negated(cached, asked) and _affirms_negated(asked, cached)


def _affirms_negated(one: Fingerprint, other: Fingerprint) -> bool:
    negated = {term.meanings[0] for term in one.terms if term.is_negated}
    return any(term.meanings[0] in negated and not term.is_negated for term in other.terms) and not any(
        term.meanings[0] in negated and term.is_negated for term in other.terms
    )


def _questions_differ(cached: Question, asked: Question) -> bool:
    one, other = cached & ASKED, asked & ASKED
    # How it is done may be where it is done.
    if one and other and not one & other and one | other != Question.HOW | Question.WHERE:
        return True
    return any(
        (cached & both == one and asked & both == other) or (cached & both == other and asked & both == one)
        for one, other in OPPOSED
        for both in (one | other,)
    )


def _joined(tokens: Sequence[Token]) -> str:
    return " ".join(token.money + token.text + token.suffix for token in tokens)


def _hash_of_any(text: str, key: bytes) -> int:
    return int.from_bytes(digest(text, key, 8), "little") if text else 0
