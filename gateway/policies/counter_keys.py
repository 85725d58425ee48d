"""Counter keys: written in the catalog as what they are made of, made for each call of what it is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from urllib.parse import quote, unquote

from gateway.backends.headers import KEY_HEADERS
from gateway.call import Call
from gateway.caller_address import caller_address
from gateway.catalog.counter_keys import KeyPart, parse_counter_key
from gateway.catalog.keys import holds_key
from gateway.llm.model_names import shown_model

CounterKey = Callable[[Call], str]

# What stands in a key as it is. Everything else is escaped, so that no value can pass for another part of the key.
PLAIN = "@/"
# Counters are stored and shown, so of what may be a secret there is only the hash.
SECRET_HEADERS = KEY_HEADERS | {b"cookie", b"proxy-authorization"}
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
            show = _hashed if name in SECRET_HEADERS else _plain
            return lambda call: f"{part.kind}:{part.name}:{show(call.header(name) or '')}"
    return lambda call: part.name


def _plain(value: str) -> str:
    if len(value) > LONGEST_VALUE or holds_key(unquote(value)):
        return _hashed(value)
    return quote(value, safe=PLAIN, errors="replace")


def _hashed(value: str) -> str:
    return "sha256." + hashlib.sha256(value.encode("utf-8", "replace")).hexdigest() if value else ""
