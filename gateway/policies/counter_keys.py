"""Counter keys: written in the catalog as what they are made of, made for each call of what it is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from urllib.parse import quote

from gateway.call import Call
from gateway.caller_address import caller_address
from gateway.catalog.counter_keys import KeyPart, parse_counter_key
from gateway.llm.model_names import shown_model

CounterKey = Callable[[Call], str]

# What stands in a key as it is. Everything else is escaped, so that no value can pass for another part of the key.
PLAIN = "@/"
# A longer value, which can only come from a caller, is told apart by its hash.
LONGEST_VALUE = 200


def counter_key(text: str) -> CounterKey:
    """How to make the key of a call: `subscription+model` makes `subscription:team-a+model:gpt-4o`."""
    parts = [_part(part) for part in parse_counter_key(text)]
    if len(parts) == 1:
        return parts[0]
    return lambda call: "+".join(part(call) for part in parts)


def _part(part: KeyPart) -> CounterKey:
    name = part.name.lower().encode()
    match part.kind:
        case "subscription":
            return lambda call: f"subscription:{call.caller.subscription or ''}"
        case "product":
            return lambda call: f"product:{call.caller.product.name if call.caller.product else ''}"
        case "api":
            return lambda call: f"api:{call.entry.api.name if call.entry else ''}"
        case "ip":
            return lambda call: f"ip:{_plain(caller_address(call.headers))}"
        case "model":
            return lambda call: f"model:{_plain(shown_model(call) or '')}"
        case "user" | "header":
            return lambda call: f"{part.kind}:{part.name}:{_plain(call.header(name) or '')}"
    return lambda call: part.name


def _plain(value: str) -> str:
    if len(value) > LONGEST_VALUE:
        return "sha256." + hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()
    return quote(value, safe=PLAIN, errors="replace")
