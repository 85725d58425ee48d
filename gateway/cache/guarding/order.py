"""Who does what to whom: whether words have changed places from one prompt to another."""

from __future__ import annotations

from gateway.cache.guarding.fingerprint import Fingerprint, Kind

# Where two words are only joined.
JOINED = frozenset({0})
# More are not looked at for their order: it would take too long.
MOST_ORDERED = 64


def exchanged(cached: Fingerprint, asked: Fingerprint) -> bool:
    """Two terms have changed places: each stands now after what the other stood after.

    After the same word (`in Tokyo at 9 am in Lima`) only where a third one has stayed between them: what is just
    told earlier is still the same.
    """
    places, now = _places(cached), _places(asked)
    ranks = {name: rank for rank, name in enumerate(now)}
    names = [name for name in places if name in now][:MOST_ORDERED]
    for number, one in enumerate(names):
        for third, other in enumerate(names[number + 1 :], start=number + 1):
            if (places[one] - now[one]) & (now[other] - places[other]) and (
                (places[other] - now[other]) & (now[one] - places[one])
            ):
                return True
            is_turned = (
                ranks[other] < ranks[one] and places[one] == now[other] == places[other] == now[one] != frozenset()
            )
            between = (ranks[name] for name in names[number + 1 : third])
            if is_turned and any(ranks[other] < rank < ranks[one] for rank in between):
                return True
    return False


def _places(prompt: Fingerprint) -> dict[int, frozenset[int]]:
    """For each term all that it stands after, but what joins."""
    places: dict[int, frozenset[int]] = {}
    for term in prompt.terms:
        if term.kind is not Kind.NEGATION:
            name = term.meanings[-1] if term.kind is Kind.NUMBER else term.meanings[0]
            places[name] = places.get(name, frozenset()) | ({term.before} - JOINED)
    return places
