"""Subscription keys."""

import hashlib
import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalog.keys import ALPHABET, PREFIX, digest, generate, is_well_formed

KEY = generate()


def test_a_key_has_prefix_random_part_and_checksum() -> None:
    """`gw_`, 43 characters of base62 that hold 256 bits, and 6 that hold a CRC-32."""
    assert re.fullmatch(r"gw_[0-9A-Za-z]{49}", KEY)
    assert 62**43 > 2**256 > 62**42
    assert 62**6 > 2**32 > 62**5


def test_the_checksum_is_the_crc_32_of_all_before() -> None:
    """Computed here a second way."""
    number = 0
    for character in KEY[-6:]:
        number = number * 62 + ALPHABET.index(character)
    assert number == zlib.crc32(KEY[:-6].encode())


def test_keys_are_all_different_and_well_formed() -> None:
    """A thousand of them."""
    keys = {generate() for _ in range(1_000)}
    assert len(keys) == 1_000
    assert all(is_well_formed(key) for key in keys)


@given(st.integers(0, len(KEY) - 1), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_found(position: int, character: str) -> None:
    """A CRC-32 finds every single error of up to 32 bits."""
    mistyped = KEY[:position] + character + KEY[position + 1 :]
    assert is_well_formed(mistyped) == (mistyped == KEY)


@given(st.text())
def test_any_text_can_be_judged(text: str) -> None:
    """Whatever a caller sends, the answer is False, not an error."""
    assert not is_well_formed(text)
    assert not is_well_formed(PREFIX + text)


@pytest.mark.parametrize(
    "text",
    [KEY.lower(), KEY.upper(), KEY + " ", KEY + "\n", KEY[:-1], KEY + "0", KEY.replace("gw_", "gx_"), "é" * len(KEY)],
)
def test_what_is_nearly_a_key_is_none(text: str) -> None:
    """Case, white space, length and prefix matter."""
    assert not is_well_formed(text)


def test_the_digest_is_sha_256_in_hex() -> None:
    """So that anyone can check what is stored."""
    assert digest(KEY) == hashlib.sha256(KEY.encode()).hexdigest()
