"""The guard agrees to what is put in other words, and to nothing that asks for something else."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cache.guard import disagreement, fingerprint
from gateway.cache.guarding.fingerprint import Fingerprint


def reason(cached: str, asked: str) -> str | None:
    """Why the guard refuses, if it does."""
    return disagreement(fingerprint(cached), fingerprint(asked))


SAME = {
    "the same": ("How do I bake bread?", "How do I bake bread?"),
    "capitals and punctuation": ("How do I bake bread?", "how do i bake bread"),
    "greeting and thanks": (
        "How do I bake bread?",
        "Hi there! Could you please tell me how to bake bread? Thanks, Tom",
    ),
    "an excuse": ("How do I bake bread?", "Sorry for asking so late, but how do I bake bread?"),
    "a long request": ("How do I bake bread?", "I was hoping that somebody could tell me how to bake bread."),
    "another way to ask how": ("How do I bake bread?", "What are the steps to bake bread?"),
    "another way to ask what": ("What is photosynthesis?", "Can you explain what photosynthesis is?"),
    "told before it is asked": ("How do I mute a Slack channel?", "I want to mute a Slack channel. How can I do that?"),
    "the topic first": ("How do I sort a list in Python?", "In Python, how do I sort a list?"),
    "joined words exchanged": ("Compare tea and coffee.", "Compare coffee and tea."),
    "a synonym": ("How do I delete a branch in git?", "How do I remove a branch in git?"),
    "a phrase": ("How do I disable notifications?", "How do I turn notifications off?"),
    "British spelling": ("What is the colour of the centre?", "What is the color of the center?"),
    "plural and tense": ("Which cookies does the site set?", "Which cookie did the site set?"),
    "a number in words": ("Give me 12 tips on chess.", "Give me twelve tips on chess."),
    "thousands": ("What is the tax on $300,000?", "What is the tax on 300k dollars?"),
    "a unit's other name": ("How long do I roast 2 kg of beef?", "How long do I roast 2 kilograms of beef?"),
    "an ordinal": ("Who was the 3rd king?", "Who was the third king?"),
    "a Roman numeral": ("Who was Henry VIII?", "Who was Henry 8?"),
    "the same negation": ("Why won't my printer print?", "Why does my printer not print?"),
    "letters exchanged": ("What is the capital of Mongolia?", "waht is teh capital of Mognolia"),
    "a letter left out": ("What is the capital of Kazakhstan?", "What is the capital of Kazakstan?"),
    "two words as one": ("Where is my time sheet?", "Where is my timesheet?"),
    "active and passive": ("How do I block a number?", "How is a number blocked?"),
    "the sort of thing": ("How do I merge two PDFs on a Mac?", "On a Mac, what's the way to merge two PDF files?"),
}

DIFFERENT = {
    "number": ("What is 15% of 840?", "What is 18% of 840?"),
    "number in words": ("Name three rivers.", "Name thirty rivers."),
    "decimal": ("Is 2.5 miles far?", "Is 25 miles far?"),
    "version": ("What is new in Python 3.1?", "What is new in Python 3.10?"),
    "ordinal": ("Who was the 16th president?", "Who was the 26th president?"),
    "year": ("Who won in 2019?", "Who won in 2021?"),
    "time of day": ("Is there a train at 7 am?", "Is there a train at 7 pm?"),
    "numbers exchanged": ("What is 12 minus 5?", "What is 5 minus 12?"),
    "operator": ("What is 12 + 5?", "What is 12 - 5?"),
    "Roman numeral": ("When did World War I end?", "When did World War II end?"),
    "unit": ("Is 5 mg too much?", "Is 5 g too much?"),
    "currency": ("Convert 20 USD to yen.", "Convert 20 GBP to yen."),
    "bits and bytes": ("How long for 5 GB at 100 megabits?", "How long for 5 GB at 100 megabytes?"),
    "not": ("Which fruits are citrus?", "Which fruits are not citrus?"),
    "n't": ("What can I bring?", "What can't I bring?"),
    "without": ("A recipe with cream", "A recipe without cream"),
    "never": ("Users who logged in", "Users who never logged in"),
    "non-": ("Am I an exempt employee?", "Am I a non-exempt employee?"),
    "un-": ("How do I lock a cell?", "How do I unlock a cell?"),
    "another is negated": ("Can one swim but not run there?", "Can one run but not swim there?"),
    "opposite verb": ("How do I import contacts?", "How do I export contacts?"),
    "opposite particle": ("How do I turn captions on?", "How do I turn captions off?"),
    "opposite superlative": ("What is the hottest month?", "What is the coldest month?"),
    "comparative for superlative of another": ("Sort by date, oldest first", "Sort by date, newest first"),
    "before": ("Do I eat before running?", "Do I eat after running?"),
    "first": ("Who was the first chancellor?", "Who was the last chancellor?"),
    "name": ("Who is the CEO of Airbus?", "Who is the CEO of Boeing?"),
    "name that is a word": (
        "What is in the Basic plan, for how many users?",
        "What is in the Plus plan, for how many users?",
    ),
    "language": ("Translate it into Korean.", "Translate it into Japanese."),
    "programming language": ("How do I sort in C?", "How do I sort in C++?"),
    "short name": ("How do I sort in R?", "How do I sort in Go?"),
    "real words that are near": ("Where is the contract?", "Where is the contact?"),
    "chemistry": ("What is ethanol?", "What is methanol?"),
    "from and to": ("A train from Milan to Zurich", "A train from Zurich to Milan"),
    "from and to, told the other way": ("A train from Milan to Zurich", "A train to Milan from Zurich"),
    "into": ("Turn a PDF into a Word document", "Turn a Word document into a PDF"),
    "subject and object": ("How does sleep affect anxiety?", "How does anxiety affect sleep?"),
    "me and another": ("Can my landlord sue me?", "Can I sue my landlord?"),
    "who does it": ("Who hired Anna?", "Who did Anna hire?"),
    "than": ("Is gold heavier than lead?", "Is lead heavier than gold?"),
    "in both": ("What time is it in Tokyo at 9 am in Lima?", "What time is it in Lima at 9 am in Tokyo?"),
    "one more condition": ("What are my rights?", "What are my rights on maternity leave?"),
    "format": ("Explain TCP.", "Explain TCP in a table."),
    "length": ("Explain TCP.", "Explain TCP in one sentence."),
    "for whom": ("Explain TCP.", "Explain TCP to a child."),
    "adjective": ("List the museums of Paris.", "List the free museums of Paris."),
    "day": ("The weather today?", "The weather tomorrow?"),
    "this and last": ("What did we decide this week?", "What did we decide last week?"),
    "month": ("Who starts in March?", "Who starts in May?"),
    "past and future": ("When was the bridge opened?", "When will the bridge be opened?"),
    "why and how": ("Why do cats purr?", "How do cats purr?"),
    "who and when": ("Who built the wall?", "When did someone build the wall?"),
    "may and must": ("May I wear a tie?", "Must I wear a tie?"),
    "quoted text": ('Translate "I am here" into Dutch', 'Translate "I was here" into Dutch'),
    "code": ("Why does print(rows[0] fail in Python?", "Why does print(rows[0]) fail in Python, print(x)?"),
    "operator in code": ("Explain `if (a <= b) { f(); }`", "Explain `if (a >= b) { f(); }`"),
    "only punctuation": ("?", "!"),
    "only function words": ("What is it?", "Who are they?"),
    "emoji": ("What does 😢 mean?", "What does 😡 mean?"),
    "German": ("Wie lange koche ich ein Ei?", "Wie lange koche ich einen Knödel?"),
    "German negation": ("Was darf ich mitnehmen?", "Was darf ich nicht mitnehmen?"),
    "French number": ("Quel est le prix de 3 billets ?", "Quel est le prix de 5 billets ?"),
    "Spanish name": ("¿Cuál es la capital de Perú?", "¿Cuál es la capital de Chile?"),
    "Chinese": ("北京的人口是多少?", "上海的人口是多少?"),
    "Japanese": ("東京の天気は?", "京都の天気は?"),
    "Arabic": ("ما هي عاصمة مصر؟", "ما هي عاصمة تونس؟"),
    "one question in two languages": ("Where is the Berlin Wall in Berlin?", "Wo ist die Mauer in Berlin?"),
}

OTHER_LANGUAGES = {
    "German": ("Wie kann ich mein Passwort ändern?", "Bitte, wie ändern ich mein Passwort? Danke!"),
    "French": ("Quelle est la capitale du Pérou ?", "quelle est la capitale du perou svp"),
    "Spanish": ("¿Cuál es la capital de Perú?", "Hola, cuál es la capital de Perú, por favor"),
    "Italian": ("Qual è la capitale del Perù?", "qual e la capitale del Peru, grazie"),
    "Portuguese": ("Qual é a capital do Peru?", "Bom dia, qual é a capital do Peru? Obrigado"),
    "Dutch": ("Wat is de hoofdstad van Peru?", "Hallo, wat is de hoofdstad van Peru? Bedankt"),
    "Chinese": ("请问北京的人口是多少?谢谢", "北京人口是多少"),
    "Japanese": ("東京の天気を教えてください", "東京の天気を教えて"),
    "Arabic": ("ما هي عاصمة مصر؟", "ما هي عاصمة مصر"),
    "Russian": ("Какая столица Франции?", "какая столица Франции"),
}

PROMPTS = st.one_of(
    st.text(max_size=200),
    st.lists(st.sampled_from([text for pair in (*SAME.values(), *DIFFERENT.values()) for text in pair])).map(" ".join),
    st.text(alphabet="aeth 0123456789.,:-'\"$%€°½²kgIVX\n", max_size=80),
)


@pytest.mark.parametrize("name", SAME)
def test_other_words_for_the_same(name: str) -> None:
    """The guard agrees, whichever of the two was cached."""
    cached, asked = SAME[name]
    assert reason(cached, asked) is None
    assert reason(asked, cached) is None


@pytest.mark.parametrize("name", DIFFERENT)
def test_something_else_in_nearly_the_same_words(name: str) -> None:
    """The guard refuses, whichever of the two was cached."""
    cached, asked = DIFFERENT[name]
    assert reason(cached, asked) is not None
    assert reason(asked, cached) is not None


@pytest.mark.parametrize("name", OTHER_LANGUAGES)
def test_courtesies_and_accents_in_other_languages(name: str) -> None:
    """There the guard knows no synonyms, but does not stand in the way either."""
    assert reason(*OTHER_LANGUAGES[name]) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("number", "numbers differ"),
        ("unit", "units differ"),
        ("not", "negation differs"),
        ("name", "content words differ"),
        ("day", "times differ"),
        ("from and to", "order differs"),
        ("why and how", "questions differ"),
        ("quoted text", "texts differ"),
        ("only function words", "too few words to compare"),
        ("one question in two languages", "languages differ"),
    ],
)
def test_the_reason_is_told(name: str, expected: str) -> None:
    """In a few words, for those who ask why an answer was not served."""
    assert reason(*DIFFERENT[name]) == expected


@given(PROMPTS)
@settings(deadline=None, max_examples=200)
def test_every_prompt_agrees_with_itself(text: str) -> None:
    """Whatever it is, in whatever language; and after it was stored."""
    found = fingerprint(text)
    assert disagreement(found, found) is None
    assert Fingerprint.from_bytes(found.to_bytes()) == found


@given(PROMPTS, PROMPTS)
@settings(deadline=None, max_examples=200)
def test_neither_prompt_comes_first(one: str, other: str) -> None:
    """The guard says the same of two prompts in either order."""
    assert (reason(one, other) is None) == (reason(other, one) is None)


@given(st.text(max_size=500))
@settings(deadline=None, max_examples=200)
def test_a_fingerprint_does_not_hold_the_text(text: str) -> None:
    """Bytes from anywhere are refused, and no word can be read in a fingerprint."""
    stored = fingerprint("zanzibarian " + text).to_bytes()
    assert b"zanzi" not in stored


def test_fingerprints_depend_on_the_key() -> None:
    """Without the key, nobody finds a word by hashing a dictionary."""
    assert fingerprint("Zanzibar", b"one") != fingerprint("Zanzibar", b"two")
    assert fingerprint("Zanzibar", b"one") == fingerprint("Zanzibar", b"one")


@pytest.mark.parametrize("content", [b"", b"\x01", b"\xff" * 40, fingerprint("How do I bake bread?").to_bytes()[:-3]])
def test_what_is_no_fingerprint(content: bytes) -> None:
    """ValueError, which the cache takes for a missing entry."""
    with pytest.raises(ValueError, match="fingerprint"):
        Fingerprint.from_bytes(content)


def test_long_prompts_agree_to_the_end() -> None:
    """What comes after the words that are read one by one must be the same."""
    text = "The board met on Tuesday and approved the new budget for the warehouse in Leeds. " * 100
    assert reason(text + "It ends well.", text + "It ends well.") is None
    assert reason(text + "It ends well.", text + "It ends badly.") is not None
    assert reason(text, text + "Also.") is not None


def test_time_grows_no_faster_than_the_prompt() -> None:
    """A prompt of 100,000 words takes no minute; two of a few hundred different words are compared at once."""
    begun = time.perf_counter()
    fingerprint("word " * 100_000)
    ones, others = (
        fingerprint(" ".join(f"in w{number}x" for number in order)) for order in (range(400), range(399, 0, -1))
    )
    disagreement(ones, others)
    assert time.perf_counter() - begun < 10
