"""Words as their stems: `installed`, `installing` and `installation` are one, and so are `colour` and `color`.

Light on purpose: inflection, British spelling, and the derivations that change nothing about what is asked. Prefixes
stay, because they reverse words (`lock`, `unlock`). Two words that share a stem by accident only make the guard less
strict about these two.
"""

from __future__ import annotations

from functools import lru_cache

from gateway.cache.guarding.language.lists import replacements, these

VOWELS = frozenset("aeiouy")
SHORTEST_STEM = 3

# Ends in -ing, -ed, -s, -ly, -ation by chance.
WHOLE = these(
    """
    always analysis anything apply april august axis basis bed bias bless boss bring bus business canvas census ceiling
    chaos chess class clothes compass cross dress during early east else everything express evening family feed fly
    focus gas glass grass guess headquarters hundred italy july king kubernetes lens less loss mathematics means
    metropolis morning moss multiply nation need news nothing only paris pass physics plus politics pudding ration
    red reply ring series shed sibling sing something species speed spring station status sterling sting string
    supply sunday monday tuesday wednesday thursday friday saturday tax texas thing thus tress various versus virus
    was wednesday wedding wing yes production state
    """
)

# Gradable adjectives, which alone lose -er and -est: a printer is not more print.
GRADABLE = these(
    """
    big bright broad busy cheap clean clear clever close cold cool dark deep dense dirty dry early easy fast fat few
    fine firm flat fresh full great hard heavy high hot kind large late light little long loud low narrow near new nice
    old plain poor quick quiet rare rich rough safe sharp short simple slim slow small smart smooth soft steep strict
    strong sweet tall thick thin tidy tiny tough ugly warm weak wet wide wild wise young healthy
    """
)


@lru_cache(maxsize=8_192)
def stem(word: str) -> str:
    """The stem of a lower-case word without accents."""
    word = replacements("irregular").get(word, word)
    if len(word) <= SHORTEST_STEM or not word.isalpha() or word in WHOLE:
        return word
    return _undoubled(_without_ending(_american(_graded(_without_plural(word)))))


def _american(word: str) -> str:
    """Also changes `promise` to `promize`, which harms nobody: it does so wherever the word stands."""
    for british, american in (("isation", "ization"), ("ising", "izing"), ("ised", "ized"), ("ise", "ize")):
        if word.endswith(british) and len(word) > len(british) + 2:
            return word.removesuffix(british) + american
    if word.endswith("our") and len(word) > 5:
        return word.removesuffix("our") + "or"
    return replacements("irregular").get(word, word)


def _without_plural(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _graded(word: str) -> str:
    for ending in ("est", "er"):
        if word.endswith(ending):
            base = word.removesuffix(ending)
            for candidate in (base, base + "e", base[:-1], base[:-1] + "y"):
                if candidate in GRADABLE:
                    return candidate
    return word


def _without_ending(word: str) -> str:
    if word.endswith("ly") and len(word) > 5:
        word = word[:-2] + ("y" if word.endswith("ily") else "")
        word = word.replace("iy", "y")
    if word.endswith("ation"):
        return word[:-5] if len(word) > 8 else word[:-3]
    if word.endswith("ction") and len(word) > 8:
        return word[:-3]
    if word.endswith("ate"):
        return word[:-3] if len(word) > 6 else word[:-1]
    if word.endswith("ied") and len(word) > 4:
        return word[:-3] + "y"
    for ending in ("ating", "ated", "ing", "ed"):
        base = word.removesuffix(ending)
        if base != word and len(base) >= SHORTEST_STEM and VOWELS & set(base) and not word.endswith("eed"):
            return base + "at" if ending.startswith("at") and len(base) < 4 else _known_base(base)
    return word.removesuffix("e")


def _known_base(base: str) -> str:
    return replacements("irregular").get(base, base).removesuffix("e")


def _undoubled(word: str) -> str:
    return word[:-1] if len(word) > SHORTEST_STEM and word[-1] == word[-2] and word[-1] not in VOWELS else word
