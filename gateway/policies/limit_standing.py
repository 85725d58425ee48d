"""What is told of limits to calls that they do not count: refused before they got so far, or free of tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.call import Call, Header, Reply
from gateway.catalog.counter_keys import parse_counter_key
from gateway.errors import GatewayError
from gateway.ledger.ledger import Ledger
from gateway.ledger.meters import Charge
from gateway.llm.model_names import shown_model
from gateway.policies.limit_answers import headers_of
from gateway.policies.limit_rules import Rule, Rules


def known_headers(call: Call, rules: Rules, ledger: Ledger) -> list[Header]:
    """What is left of every limit whose counter this instance has seen lately; nobody is asked for the others."""
    standings = []
    for rule in (rules.each[place] for place in rules.told):
        standing = (
            ledger.known_standing(Charge(rule.key(call), rule.meter, rule.limit, 0)) if _is_for(call, rule) else None
        )
        if standing is not None:
            standings.append((rule, *standing))
    return [*headers_of(standings), *((name, b"0") for name in rules.consumed_headers)]


def _is_for(call: Call, rule: Rule) -> bool:
    """Of a call that names no model, or whose body has not been read, the counters of models say nothing."""
    return shown_model(call) is not None or all(part.kind != "model" for part in parse_counter_key(rule.written_key))


def add_headers(reply: Reply, own: Sequence[Header]) -> None:
    """In the place of what the backend says of its own limits."""
    if own:
        names = dict(own)
        reply.headers = [pair for pair in reply.headers if pair[0] not in names] + list(own)


def tell(error: GatewayError, headers: Sequence[Header]) -> None:
    """The same for an error; what it says itself stays."""
    error.headers = {**texts(headers), **error.headers}


def texts(headers: Sequence[Header]) -> Mapping[str, str]:
    """As errors have them."""
    return {name.decode(): value.decode() for name, value in headers}
