"""Counts the tokens of texts, with OpenAI's vocabularies, which are packaged with the app: no network, ever.

Other makers' tokenizers are not public or not to be had as a library; their texts are counted with `o200k_base` too,
which is an estimate until the backend reports what it used.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.llm.model_names import without_provider

if TYPE_CHECKING:
    from tiktoken import Encoding

VOCABULARIES = Path(__file__).parent / "encodings"
NEWEST = "o200k_base"
PACKAGED = (NEWEST, "cl100k_base")

# In characters. So much is counted in the event loop (15 ms at the worst), more in a thread; of a longer text samples.
# Who cannot wait for a thread has samples already of what is more than the loop may count.
LOOP_CHARACTERS = 64 * 1024
COUNTED_CHARACTERS = 1024 * 1024
SAMPLES = 64
LOOP_SAMPLE_CHARACTERS = LOOP_CHARACTERS // SAMPLES
SAMPLE_CHARACTERS = 4_096

# A rule of thumb for English, until the vocabularies are loaded.
CHARACTERS_A_TOKEN = 4

# One call into the tokenizer takes no more: its time grows faster than a text without spaces does.
SLICE_CHARACTERS = 64 * 1024


# Conversations resend their history, and most calls of an application begin with the same instructions. A shorter text
# is counted as fast as it is found.
SHORTEST_REMEMBERED = 16
MOST_REMEMBERED = 50_000


class _Counts:
    """The counts of one vocabulary. Of a text only its hash is kept, which is salted anew in every process."""

    __slots__ = ("_encoding", "_known")

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._known: dict[int, int] = {}

    def count(self, texts: Sequence[str]) -> int:
        """The tokens of all of them."""
        return sum([self._count(text) for text in texts])

    def _count(self, text: str) -> int:
        if len(text) < SHORTEST_REMEMBERED:
            return len(self._encoding.encode_ordinary(text))
        key = hash(text)
        count = self._known.get(key)
        if count is None:
            # "Ordinary": a text that looks like a special token is text.
            count = sum([len(self._encoding.encode_ordinary(part)) for part in _slices(text)])
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[key] = count
        return count


class Tokenizer:
    """Knows the vocabularies once they are loaded, which takes a third of a second, in a thread."""

    def __init__(self, vocabularies: Path = VOCABULARIES) -> None:
        self._vocabularies = vocabularies
        self._encodings: dict[str, _Counts] = {}
        self._loading: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to load, if that has not begun."""
        if self._loading is None:
            self._loading = asyncio.get_running_loop().create_task(asyncio.to_thread(self._load))

    async def aclose(self) -> None:
        """Wait for a loading that has begun: a thread cannot be stopped."""
        if self._loading is not None:
            await asyncio.wait([self._loading])

    def count_at_once(self, texts: Sequence[str], model: str | None) -> int | None:
        """How many tokens these texts are for `model`; None if that has to be waited for."""
        if not texts:
            return 0
        if not self.is_loaded or sum(map(len, texts)) > LOOP_CHARACTERS:
            return None
        return self._encodings[encoding_name(model)].count(texts)

    async def count(self, texts: Sequence[str], model: str | None) -> int:
        """The same for any texts; of more than `COUNTED_CHARACTERS` an estimate from samples."""
        if texts:
            await self._ready()
        counted = self.count_at_once(texts, model)
        if counted is not None:
            return counted
        encoding = self._encodings[encoding_name(model)]
        characters = sum(map(len, texts))
        if characters <= COUNTED_CHARACTERS:
            return await asyncio.to_thread(encoding.count, texts)
        samples = list(_samples(texts, characters, SAMPLE_CHARACTERS))
        counted = await asyncio.to_thread(encoding.count, samples)
        return round(counted * characters / sum(map(len, samples)))

    def count_now(self, texts: Sequence[str], model: str | None) -> int:
        """The same for those who cannot wait: samples beyond `LOOP_CHARACTERS`, and a rule of thumb before loading."""
        characters = sum(map(len, texts))
        if not characters:
            return 0
        if not self.is_loaded:
            return -(-characters // CHARACTERS_A_TOKEN)
        encoding = self._encodings[encoding_name(model)]
        if characters <= LOOP_CHARACTERS:
            return encoding.count(texts)
        samples = list(_samples(texts, characters, LOOP_SAMPLE_CHARACTERS))
        return round(encoding.count(samples) * characters / sum(map(len, samples)))

    @property
    def is_loaded(self) -> bool:
        """True once counting needs no waiting."""
        return len(self._encodings) == len(PACKAGED)

    async def _ready(self) -> None:
        if not self.is_loaded:
            self.start()
            assert self._loading is not None
            # Others wait for the same task, so one who leaves must not take it along.
            await asyncio.shield(self._loading)

    def _load(self) -> None:
        # tiktoken looks here before it looks on the network, and checks the files' SHA-256.
        os.environ["TIKTOKEN_CACHE_DIR"] = str(self._vocabularies)
        import tiktoken

        for name in PACKAGED:
            self._encodings[name] = _Counts(tiktoken.get_encoding(name))


@lru_cache(maxsize=1_024)
def encoding_name(model: str | None) -> str:
    """The vocabulary of a model. Unknown models have the newest; OpenAI's oldest have the next one we carry."""
    from tiktoken.model import encoding_name_for_model

    try:
        name = encoding_name_for_model(without_provider(model))
    except KeyError:
        return NEWEST
    if name in PACKAGED:
        return name
    # o200k_harmony differs from o200k_base in special tokens only.
    return NEWEST if name.startswith("o200k") else "cl100k_base"


def _slices(text: str) -> Sequence[str]:
    if len(text) <= SLICE_CHARACTERS:
        return (text,)
    return [text[start : start + SLICE_CHARACTERS] for start in range(0, len(text), SLICE_CHARACTERS)]


def _samples(texts: Sequence[str], characters: int, size: int) -> Iterator[str]:
    """Pieces at equal distances over all texts, as if they were one."""
    distance = characters // SAMPLES
    begin = 0
    wanted = 0
    for text in texts:
        while wanted < begin + len(text):
            start = wanted - begin
            yield text[start : start + size]
            wanted += distance
        begin += len(text)
