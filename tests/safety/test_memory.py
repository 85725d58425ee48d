"""What is remembered of texts, and for how long."""

from collections.abc import Sequence

import pytest

from gateway.safety.memory import KEPT_SECONDS, Memory
from gateway.safety.scores import Scores

CLEAN, ODD = Scores({"Hate": 0}), Scores({"Hate": 2})


class Clock:
    time = 100.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(clock: Clock) -> Memory:
    return Memory(clock, most=3)


async def learn(memory: Memory, question: bytes, text: str, scores: Scores) -> None:
    async def ask() -> Sequence[Scores]:
        return [scores]

    await memory.ask((memory.key(question, text),), ask)


async def test_both_ways_of_asking_agree(memory: Memory, clock: Clock) -> None:
    """Of what is known, of what is not, of the same text in another question, and when the hour is over."""
    question, another = memory.question("text", ["Hate"]), memory.question("text", ["Violence"])
    await learn(memory, question, "calm", CLEAN)
    await learn(memory, question, "half \ud83d", CLEAN)
    await learn(memory, question, "odd", ODD)
    assert memory.get(memory.key(question, "odd")) == ODD
    assert memory.are_zero(question, ["calm", "half \ud83d"])
    for asked, texts in ((question, ["calm", "odd"]), (question, ["calm", "new"]), (another, ["calm"])):
        assert not memory.are_zero(asked, texts)
    clock.time += KEPT_SECONDS - 0.01
    assert memory.are_zero(question, ["calm"])
    clock.time += 0.01
    assert not memory.are_zero(question, ["calm"])
    assert memory.get(memory.key(question, "calm")) is None


async def test_no_text_is_kept(memory: Memory) -> None:
    """Only a salted hash of it, which is another in each process."""
    assert memory.key(memory.question(), "calm") != Memory().key(memory.question(), "calm")
    assert b"calm" not in memory.key(memory.question(), "calm")


async def test_the_oldest_is_forgotten_first(memory: Memory) -> None:
    """There is room for so many."""
    question = memory.question()
    for text in "abcd":
        await learn(memory, question, text, CLEAN)
    assert [memory.are_zero(question, [text]) for text in "abcd"] == [False, True, True, True]
