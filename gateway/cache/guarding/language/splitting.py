"""A text as tokens: words, numbers, symbols; with what separates them, and whether they are quoted."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace

from gateway.cache.guarding.language.contractions import apart
from gateway.cache.guarding.language.numbers import ORDINAL_ENDINGS
from gateway.cache.guarding.language.spelling import respelled

TOKEN = re.compile(
    r"""
      (?P<address>[a-z][a-z0-9+.-]*://\S+ | \S+@\S+\.\w+)
    | (?P<script>[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff])
    | (?P<money>[$€£¥\u20b9\u20a9\u20bd]\s?)?(?P<sign>(?<![\w).\]])[-\u2212])?(?P<number>\d+(?:[.,:]\d+)*)
      (?P<suffix>\s?%|\s?°\s?[CFK]?\b|[^\W\d_]+\b(?!\w))?
    | (?P<word>[^\W\d]\w*(?:'[^\W\d_]+)*(?:\+\+|\#(?!\w))?|\d\w+)
    | (?P<break>[.?!;:\u2026\u3002\uff1f\uff01\uff1b\uff1a]+|\n|,|\u3001|\uff0c|[()\[\]{}])
    | (?P<quote>["`\u00ab\u00bb\u201e\u201c\u201d]+)
    | (?P<symbol>[+*^=<>\u00d7\u00f7\u2264\u2265\u2260&%$€£|~/\\-]+|[\u2190-\u2bff]|[\U0001F000-\U0001FAFF]|[^\w\s'])
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Between words these only join; between numbers they count.
JOINERS = frozenset("/\\-\u2013\u2014|~.'\u00b7\u2022*#@")
COMMAS = frozenset(",\u3001\uff0c()[]{}")
# Smiles at the end are politeness.
SMILES = frozenset("🙏🙂😊👋👍😀😃😄😁😉❤💙✨🤗🎉")
APOSTROPHES = re.compile("[\u2018\u2019\u02bc]")
ACCENTS = re.compile("[\u0300-\u036f]")

NONE, COMMA, SENTENCE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Token:
    """A word in lower case, as the rules compare it, and as it was written."""

    text: str
    written: str
    kind: str
    # What stands before it: nothing, a comma or bracket, or the end of a sentence.
    after: int
    is_quoted: bool
    money: str = ""
    suffix: str = ""

    def following(self, after: int) -> Token:
        """The same token after something else."""
        return self if after == self.after else replace(self, after=after)


def plain(text: str) -> str:
    """Without accents, ligatures and typographers' apostrophes; still in capitals and small letters."""
    if text.isascii():
        return text
    text = APOSTROPHES.sub("'", unicodedata.normalize("NFKC", text))
    return unicodedata.normalize("NFC", ACCENTS.sub("", unicodedata.normalize("NFD", text)))


def split(text: str) -> list[Token]:
    """All tokens of a plain text. Never fails."""
    tokens: list[Token] = []
    after, quoted = SENTENCE, False
    for match in TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind == "break":
            after = max(after, COMMA if match.group() in COMMAS else SENTENCE)
            continue
        if kind == "quote":
            quoted = not quoted
            continue
        found = _tokens(match, kind, after, quoted)
        if found:
            tokens += found
            after = NONE
    return tokens


def _tokens(match: re.Match[str], kind: str, after: int, quoted: bool) -> list[Token]:
    written = match.group()
    if kind == "word":
        lower = written.lower()
        lower = lower if written.isupper() and len(written) > 1 else respelled(lower)
        return [
            Token(part, written if part == lower else part, "word", after if first else NONE, quoted)
            for part, first in zip(apart(lower), (True, False), strict=False)
            if part
        ]
    if kind in ("number", "suffix"):
        return [_number(match, after, quoted)]
    if kind == "symbol" and not _counts(match):
        return []
    return [Token(written.lower(), written, kind, after, quoted)]


def _number(match: re.Match[str], after: int, quoted: bool) -> Token:
    digits, suffix = match["number"], (match["suffix"] or "").replace(" ", "")
    if suffix.lower() in ORDINAL_ENDINGS:
        suffix = ""
    sign = "-" if match["sign"] else ""
    return Token(sign + digits, match.group(), "number", after, quoted, (match["money"] or "").strip(), suffix.lower())


def _counts(match: re.Match[str]) -> bool:
    """Whether a symbol is more than punctuation: an operator between numbers, an emoji that is no smile."""
    symbol, text = match.group(), match.string
    if symbol in SMILES or symbol in "\ufe0f\u200d_'":
        return False
    if symbol[0] not in JOINERS:
        return unicodedata.category(symbol[0]) in ("Sm", "So", "Sc") or symbol in "&%"
    before, behind = text[: match.start()].rstrip()[-1:], text[match.end() :].lstrip()[:1]
    spaced = text[match.start() - 1 : match.start()].isspace() and text[match.end() : match.end() + 1].isspace()
    return before.isdigit() and behind.isdigit() and (spaced or symbol in ("*", "/"))
