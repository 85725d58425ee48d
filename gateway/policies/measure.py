"""measure: what the call used, as its backend reports it, or else as it is counted here."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.call import Call, Outcome, Reply
from gateway.llm.answer_reader import AnswerReader
from gateway.llm.asking import asks_for_usage, with_usage_asked_for
from gateway.llm.json_values import object_in
from gateway.llm.model_names import shown_model
from gateway.llm.prices import cost
from gateway.llm.tokenizer import Tokenizer
from gateway.llm.tokens import WITHOUT_COMPLETION, Protocol, prompt_tokens_now
from gateway.llm.usage import Usage, is_json
from gateway.llm.whole_reader import LONGEST_READ_BYTES
from gateway.whole_body import read_whole_body

if TYPE_CHECKING:
    from gateway.catalog.snapshot import ApiEntry
    from gateway.pipeline import Next

# A prompt is kept and counted at the end of the call if nobody has estimated it and its backend tells nothing. A longer
# one would cost too much there.
LONGEST_KEPT_PROMPT_BYTES = 64 * 1024


class Measure:
    """Has the answer read as it passes; at the end of the call, sets what the call used and cost."""

    def __init__(self, entry: ApiEntry, tokenizer: Tokenizer) -> None:
        self._may_ask = entry.api.type == "openai"
        self._prices = entry.prices
        self._tokenizer = tokenizer

    async def __call__(self, call: Call, next: Next) -> Reply:
        document, call.document = call.document, None
        prompt = _kept_prompt(call)
        hides_usage = document is not None and self._asks_for_usage(call, document)
        del document
        count = partial(self._tokenizer.count_now, model=call.model)
        call.reader = AnswerReader(count, hides_usage=hides_usage)
        call.on_end(partial(self._settle, prompt))
        reply = await next(call)
        call.reader.status = reply.status
        return reply

    def _asks_for_usage(self, call: Call, document: dict[str, Any]) -> bool:
        """Ask, unless the caller does; true if we did."""
        if not self._may_ask or call.protocol is not Protocol.CHAT or document.get("stream") is not True:
            return False
        if call.content is None or asks_for_usage(document):
            return False
        asking = with_usage_asked_for(call.content, document)
        has_asked = asking is not call.content
        call.content = asking
        return has_asked

    def _settle(self, prompt: bytes | None, call: Call, outcome: Outcome) -> None:
        self._find_usage(prompt, call, outcome)
        if call.usage is not None and self._prices:
            call.cost = cost(self._prices, shown_model(call), call.usage)

    def _find_usage(self, prompt: bytes | None, call: Call, outcome: Outcome) -> None:
        call.usage = None
        reader = call.reader
        if reader is None:
            return
        reader.stop_telling()
        if _is_refused(call, reader, outcome):
            return
        reported = reader.usage
        is_measured = reported is not None or call.protocol is not None
        counted = reader.tokens() if is_measured and call.protocol not in WITHOUT_COMPLETION else 0
        if not (counted or (reported is not None and reported.completion)) and _has_failed(call, reader, outcome):
            return
        if reported is not None:
            call.usage = replace(reported, completion=reported.completion + counted) if counted else reported
            call.usage_counted = counted > 0
        elif is_measured:
            call.usage = Usage(_prompt_tokens(call, prompt, self._tokenizer), counted)
            call.usage_counted = True


def _prompt_tokens(call: Call, content: bytes | None, tokenizer: Tokenizer) -> int:
    if call.estimated_prompt is not None:
        return call.estimated_prompt
    document = object_in(content) if content is not None else None
    if document is None or call.protocol is None:
        return 0
    return prompt_tokens_now(tokenizer, call.protocol, document, call.model)


def _kept_prompt(call: Call) -> bytes | None:
    """What is to be counted if the backend reports nothing and nobody has counted it before."""
    if call.protocol is None or call.estimated_prompt is not None or call.content is None:
        return None
    return call.content if len(call.content) <= LONGEST_KEPT_PROMPT_BYTES else None


def is_withheld(call: Call, code: str | None) -> bool:
    """Whether an answer was made all the same, which content safety keeps from its caller for what it says."""
    reader = call.reader
    return reader is not None and reader.status is not None and (code == "content_filter" or reader.is_withheld)


def _is_refused(call: Call, reader: AnswerReader, outcome: Outcome) -> bool:
    """By the backend or by a policy. Whoever leaves while the backend is at work pays for what it was asked."""
    if reader.status is not None and reader.status >= 300:
        return True
    return outcome.status >= 300 and not outcome.aborted and not is_withheld(call, outcome.code)


def _has_failed(call: Call, reader: AnswerReader, outcome: Outcome) -> bool:
    """Through no fault of the caller's, nor of a limit that it has reached."""
    is_failure = outcome.code is not None and not is_withheld(call, outcome.code)
    return is_failure and not outcome.aborted and reader.cut is None


async def read_whole(call: Call, reply: Reply) -> Reply:
    """The reply with `call.usage` known before its head goes out, where its backend tells it in at most 1 MiB of JSON.

    Event streams and longer answers go on as they come. Raises what reading the answer raises, and has closed it then.
    """
    if call.reader is None or call.outcome.cached:
        return reply
    if not isinstance(reply.body, bytes):
        if reply.is_event_stream or not is_json(reply.headers):
            return reply
        reply.body = await read_whole_body(reply.body, LONGEST_READ_BYTES)
    if isinstance(reply.body, bytes):
        reader = call.reader.of_pieces(reply.headers)
        reader.take_whole(reply.body)
        call.usage = reader.usage
    return reply


def counted_whole(call: Call, reply: Reply, tokenizer: Tokenizer) -> Usage | None:
    """What a call will have used when its caller has all of the answer, which is at hand, and reports nothing.

    None if that cannot be said, or is nothing. The prompt is counted once, for the end of the call too.
    """
    if call.reader is None or call.protocol is None or reply.status >= 300:
        return None
    call.estimated_prompt = _prompt_tokens(call, _kept_prompt(call), tokenizer)
    completion = 0 if call.protocol in WITHOUT_COMPLETION else call.reader.tokens_of_whole()
    return Usage(call.estimated_prompt, completion)
