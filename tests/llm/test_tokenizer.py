"""Texts become tokens with no network, and never at the cost of other calls."""

import asyncio
import random
import socket

import pytest
import tiktoken.registry

from gateway.llm.tokenizer import (
    COUNTED_CHARACTERS,
    LOOP_CHARACTERS,
    MOST_REMEMBERED,
    Tokenizer,
    encoding_name,
)

# Published by OpenAI: models and their vocabularies (tiktoken's table), and what we do with those we do not carry.
MODELS = {
    "gpt-4o": "o200k_base",
    "gpt-4o-2024-08-06": "o200k_base",
    "gpt-4.1-nano": "o200k_base",
    "gpt-5-mini": "o200k_base",
    "o3": "o200k_base",
    "gpt-4": "cl100k_base",
    "gpt-4-turbo": "cl100k_base",
    "gpt-35-turbo-16k": "cl100k_base",
    "text-embedding-3-small": "cl100k_base",
    "openai/gpt-4o": "o200k_base",
    "gpt-oss-120b": "o200k_base",
    "text-davinci-003": "cl100k_base",
    "claude-sonnet-4-5": "o200k_base",
    "": "o200k_base",
    None: "o200k_base",
}


@pytest.mark.parametrize(("model", "name"), MODELS.items())
def test_the_vocabulary_of_a_model(model: str | None, name: str) -> None:
    """By the model's name, with or without a provider's before it; the newest for unknown ones."""
    assert encoding_name(model) == name


async def test_no_network_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The vocabularies come with the app."""

    def refuse(*arguments: object) -> None:
        raise AssertionError("the network was asked")

    # Nothing that another test has loaded.
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {})
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    tokenizer = Tokenizer()
    assert await tokenizer.count(["tiktoken is great!"], "gpt-4o") == 6
    assert await tokenizer.count(["tiktoken is great!"], "gpt-4") == 6


async def test_a_text_that_looks_like_a_special_token_is_text() -> None:
    """It is counted, and nothing is raised."""
    assert await Tokenizer().count(["<|endoftext|>", "\ud800"], "gpt-4o") > 5


def prose(characters: int) -> str:
    """Something like English, with numbers, code and another alphabet in it."""
    chance = random.Random(1)
    words = [
        "the",
        "of",
        "Token",
        "limit",
        "gateway,",
        "3.14",
        "print(x);",
        "größer",
        "天気",
        "request",
        "answers\n\n",
        "however:",
    ]
    parts: list[str] = []
    length = 0
    while length < characters:
        word = chance.choice(words) * chance.randint(1, 2) + " "
        parts.append(word)
        length += len(word)
    return "".join(parts)


@pytest.mark.parametrize("texts", [1, 7, 3000])
async def test_a_very_long_text_is_estimated(texts: int) -> None:
    """From samples over all of it, within 2 %: beside the same text counted piece by piece."""
    tokenizer = Tokenizer()
    whole = prose(2 * COUNTED_CHARACTERS)
    size = len(whole) // texts + 1
    pieces = [whole[start : start + size] for start in range(0, len(whole), size)]
    small = [whole[start : start + LOOP_CHARACTERS] for start in range(0, len(whole), LOOP_CHARACTERS)]
    exact = sum([await tokenizer.count([piece], "gpt-4o") for piece in small])
    assert abs(await tokenizer.count(pieces, "gpt-4o") / exact - 1) < 0.02


@pytest.mark.parametrize("text", ["a", " ", "\n", "天", "👩‍👩‍👧‍👦", "QUJD"])
async def test_the_loop_goes_on_while_a_long_text_is_counted(text: str) -> None:
    """However bad a text is for the tokenizer: over 64 K characters, others get their turn all the while."""
    tokenizer = Tokenizer()
    await tokenizer.count(["x"], "gpt-4o")
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await tokenizer.count([text * (COUNTED_CHARACTERS // len(text))], "gpt-4o")
    task.cancel()
    assert turns > 10


async def test_callers_share_the_loading() -> None:
    """The first calls wait for it; one's leaving does not stop it."""
    tokenizer = Tokenizer()
    calls = [asyncio.create_task(tokenizer.count(["tiktoken is great!"], "gpt-4o")) for _ in range(3)]
    await asyncio.sleep(0)
    calls[0].cancel()
    assert await asyncio.gather(*calls[1:]) == [6, 6]


async def test_those_who_cannot_wait() -> None:
    """The same count at once; before the vocabularies are loaded, a token for four characters."""
    tokenizer = Tokenizer()
    assert (tokenizer.count_now(["tiktoken is great!"], "gpt-4o"), tokenizer.is_loaded) == (5, False)
    tokenizer.start()
    await tokenizer.aclose()
    assert (tokenizer.count_now(["tiktoken is great!"], "gpt-4o"), tokenizer.is_loaded) == (6, True)
    assert tokenizer.count_now([], "gpt-4o") == tokenizer.count_now([""], "gpt-4o") == 0


async def test_those_who_cannot_wait_have_samples_of_a_long_text() -> None:
    """Within 5 %, and no more is counted than the loop may count."""
    tokenizer = Tokenizer()
    text = prose(10 * LOOP_CHARACTERS)
    exact = await tokenizer.count([text], "gpt-4o")
    assert abs(tokenizer.count_now([text], "gpt-4o") / exact - 1) < 0.05


async def test_a_text_is_counted_once() -> None:
    """Conversations resend their history; the second time its count is known, for each vocabulary by itself."""
    tokenizer = Tokenizer()
    text = "Répondez-vous toujours en français, même à l'étranger? " * 40
    counts = [await tokenizer.count([text], model) for model in ("gpt-4o", "gpt-4", "gpt-4o", "gpt-4")]
    assert counts[:2] == counts[2:]
    assert counts[0] != counts[1]
    assert [len(known._known) for known in tokenizer._encodings.values()] == [1, 1]


async def test_what_is_remembered_is_bounded() -> None:
    """By a number of texts, of which nothing but a hash is kept."""
    tokenizer = Tokenizer()
    await tokenizer.count(["a"], "gpt-4o")
    counts = tokenizer._encodings["o200k_base"]
    for number in range(MOST_REMEMBERED + 10):
        counts.count([f"{number:064}"])
    assert 0 < len(counts._known) <= MOST_REMEMBERED
    assert all(isinstance(key, int) for key in counts._known)
