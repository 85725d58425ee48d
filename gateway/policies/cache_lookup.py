"""What one call asks of the cache, what it gets, and what is kept of its answer."""

from __future__ import annotations

import secrets
import uuid
from functools import partial
from typing import TYPE_CHECKING

from gateway.cache.answers import replay
from gateway.cache.embedder import LOADING, Embedder, EmbeddingFailed
from gateway.cache.entry import Entry, Match
from gateway.cache.following import State
from gateway.cache.guard import disagreement
from gateway.cache.guarding.fingerprint import Fingerprint
from gateway.cache.question import Question
from gateway.cache.service import AnswerCache
from gateway.cache.wish import Wish
from gateway.call import CacheNote, Call, Outcome, Reply, SafetyNote
from gateway.llm.answer_reader import AnswerReader
from gateway.llm.tokens import Protocol
from gateway.policies.cache_keeper import Keeper
from gateway.policies.cache_rules import CacheRules

if TYPE_CHECKING:
    from gateway.cache.axes import Vector

# Entries whose words are compared, nearest first.
MOST_COMPARED = 8

JSON = (b"content-type", b"application/json")
EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")


class Lookup:
    """One call's. `note` is what is said of it."""

    def __init__(self, cache: AnswerCache, rules: CacheRules, call: Call, question: Question, wish: Wish) -> None:
        self.note = CacheNote("MISS")
        self.serves = rules.serves and wish.looks_up
        self.keeper = Keeper(cache, rules, call, question)
        self._cache = cache
        self._rules = rules
        self._call = call
        self._question = question
        self._wish = wish

    @property
    def flight_key(self) -> bytes:
        """The same for those who can share a call to the backend: they ask the same, in the same form.

        And their answers are screened alike, in the same windows, with the same to follow from what is found.
        """
        question = self._question
        form = b"%d%d" % (question.streams, question.wants_usage)
        own = b"" if self.serves else secrets.token_bytes(8)
        screening = self._call.answer_screening
        screened = b"" if screening is None else screening.sharing.encode()
        return b"|".join((question.scope.encode(), question.exact, form, screened, own))

    async def exact(self) -> Reply | None:
        """The answer to the same text, if it is kept. No embedding is asked for."""
        rules, question = self._rules, self._question
        if not self._wish.looks_up:
            return None
        await self._cache.entries.open(question.scope, rules.kind)
        entry = await self._cache.entries.same(question.scope, question.exact)
        if entry is None:
            # Again, for it may have gone away at this very question.
            self._miss_for(await self._cache.entries.open(question.scope, rules.kind))
            return None
        return await self._answer(Match(entry, 0.0), "exact")

    async def by_meaning(self) -> Reply | None:
        """The answer to a text that means the same, if one is kept; what was learned of this text is kept with it."""
        question, rules = self._question, self._rules
        if rules.embedder is None or not question.by_meaning or not (self._wish.looks_up or self._wish.keeps):
            return None
        try:
            embedding = await rules.embedder.embed(question.text, rules.settings.embedding_timeout)
        except EmbeddingFailed as failed:
            self.note.status = f"MISS; {failed.reason}"
            if failed.reason == LOADING:
                # The first questions of a process are worth finding too.
                self.keeper.late = partial(self._late_vector, rules.embedder)
            return None
        self.note.embedding_tokens, self.note.embedding_seconds = embedding.tokens, embedding.seconds
        self.keeper.vector = embedding.vector
        match = await self._nearest(embedding.vector) if self._wish.looks_up else None
        return None if match is None else await self._answer(match, "semantic")

    async def _late_vector(self, embedder: Embedder) -> Vector | None:
        try:
            await embedder.ready()
            return (await embedder.embed(self._question.text, self._rules.settings.embedding_timeout)).vector
        except EmbeddingFailed:
            return None

    async def _nearest(self, vector: Vector) -> Match | None:
        question, rules, entries = self._question, self._rules, self._cache.entries
        # Again, for the number of dimensions may be known only now.
        await entries.open(question.scope, rules.kind)
        threshold = self._wish.threshold(rules.settings.score_threshold)
        matches = await entries.nearest(question.scope, vector, question.context, threshold, MOST_COMPARED)
        return next((match for match in matches if self._agrees(match.entry)), None)

    def _agrees(self, entry: Entry) -> bool:
        """Whether the guard lets the answer to an entry's text be given for this one."""
        if not self._rules.settings.guard:
            return True
        try:
            cached = Fingerprint.from_bytes(entry.fingerprint)
        except ValueError:
            # Kept when the guard was off, or by a version that reads differently.
            return False
        return disagreement(cached, self.keeper.fingerprint()) is None

    async def _answer(self, match: Match, how: str) -> Reply | None:
        if not self._rules.serves:
            if self.note.would_be is None:
                self.note.would_be, self.note.id, self.note.distance = f"HIT; {how}", match.entry.id, match.distance
            return None
        answer = await self._cache.answer(match.entry)
        if answer is None:
            return None
        age = max(0, int(self._cache.now() - match.entry.created))
        self.note.status, self.note.id, self.note.age = f"HIT; {how}", match.entry.id, age
        self.note.distance, self.note.stamp = match.distance, match.entry.stamp
        self._call.outcome.cached = True
        moment, new_id = int(self._cache.now()), lambda: uuid.uuid4().hex
        if self._question.streams:
            return Reply(200, [EVENTS], b"".join(replay.events(answer, moment, new_id, self._question.wants_usage)))
        return Reply(200, [JSON], replay.whole(answer, moment, new_id))

    def shared(self, reply: Reply) -> Reply:
        """What another call's answer is to this one: nothing was asked for it."""
        self.note.status, self.note.stamp = "HIT; exact", _stamp(self._call)
        self._call.outcome.cached = True
        if reply.safety is not None:
            self._call.on_end(partial(_found_with, reply.safety))
        hides_usage = (
            self._rules.is_openai
            and self._call.protocol is Protocol.CHAT
            and self._question.streams
            and not self._question.wants_usage
        )
        if hides_usage:
            self._call.reader = AnswerReader(lambda texts: 0, hides_usage=True)
        return reply

    def keep(self, reply: Reply) -> None:
        """Have the backend's answer kept, if that may be."""
        if self._wish.keeps:
            self.keeper.begin(reply)
            if self.keeper.reason is not None:
                self.note.status = f"MISS; {self.keeper.reason}"

    def _miss_for(self, state: State) -> None:
        if state != "ready":
            self.note.status = f"MISS; {state}"


def _found_with(theirs: SafetyNote, call: Call, outcome: Outcome) -> None:
    """What was found in the answer of one call, or could not be, holds for all that share it."""
    if theirs.status in ("unavailable", "blocked"):
        call.safety = call.safety or SafetyNote("known")
        call.safety.worsen(theirs.status)


def _stamp(call: Call) -> str:
    return call.answer_screening.stamp if call.answer_screening is not None else ""
