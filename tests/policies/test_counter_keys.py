"""Counter keys: what a call's counters are called."""

import re
from dataclasses import replace

import pytest

from gateway.call import Caller, Header
from gateway.catalog.keys import generate
from gateway.catalog.models import Product
from gateway.policies.counter_keys import counter_key
from tests.policies.test_admit import entry
from tests.test_pipeline import make_call

HEADERS: list[Header] = [
    (b"x-team", b"blue"),
    (b"x-odd", "a+b:c é".encode()),
    (b"x-long", b"l" * 300),
    (b"x-forwarded-for", b"1.1.1.1, 203.0.113.7:80"),
]

KEYS = {
    "subscription": "subscription:team",
    "product": "product:starter",
    "api": "api:chat",
    "model": "model:openai/gpt-4o",
    "ip": "ip:203.0.113.7",
    "header:X-Team": "header:x-team:blue",
    "user:x-team": "user:x-team:blue",
    "header:x-none": "header:x-none:",
    "header:x-odd": "header:x-odd:a%2Bb%3Ac%20%C3%83%C2%A9",
    "everybody": "everybody",
    "subscription+model+everybody": "subscription:team+model:openai/gpt-4o+everybody",
}


@pytest.mark.parametrize(("written", "expected"), KEYS.items(), ids=KEYS.keys())
def test_keys(written: str, expected: str) -> None:
    """Each part says what it is, and no value can pass for another part."""
    call = make_call()
    call.headers = HEADERS
    call.entry = entry()
    call.model = "openai/gpt-4o"
    call.caller = Caller("team", Product(name="starter"))
    assert counter_key(written)(call) == expected


def test_a_long_value_is_hashed() -> None:
    """A caller cannot make keys of any length, nor make two long values the same."""
    keys = set()
    for ending in (b"a", b"b"):
        call = make_call()
        call.headers = [(b"x-long", b"l" * 300 + ending)]
        keys.add(counter_key("header:x-long")(call))
    assert len(keys) == 2
    assert all(key.startswith("header:x-long:sha256.") and len(key) < 100 for key in keys)


@pytest.mark.parametrize("header", ["authorization", "api-key", "x-api-key", "cookie", "x-team", "x-escaped"])
def test_a_secret_is_hashed(header: str) -> None:
    """Counters are stored and shown: neither a key, wherever it stands, nor what stands where keys do."""
    key = generate()
    value = {"authorization": f"Bearer {key}", "cookie": "session=secret", "x-escaped": key.replace("gw_", "%67w%5F")}
    sent = value.get(header, key)
    call = make_call()
    call.headers = [(header.encode(), sent.encode())]
    made = counter_key(f"header:{header}")(call)
    assert re.fullmatch(rf"header:{header}:sha256\.[0-9a-f]{{64}}", made)


def test_callers_without_a_key_share_a_counter() -> None:
    """On an API that needs none."""
    assert counter_key("subscription+product")(replace(make_call())) == "subscription:+product:"
