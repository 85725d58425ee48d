"""The tokens that a backend says it used, and the text it delivered, in the answers of every protocol we know.

Whole answers and single events of a stream are read alike: as JSON documents whose shape tells the protocol. What makes
no sense (negative, no number, more than any model could produce) is as good as not said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gateway.call import Header, first_value
from gateway.llm.json_values import mapping, objects

# More than this in one answer is no usage figure but a mistake.
MOST_TOKENS = 100_000_000

BEDROCKS = (b"x-amzn-bedrock-input-token-count", b"x-amzn-bedrock-output-token-count")


class _Absurd(Exception):
    """A figure that cannot be one."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call. `cached` are among the prompt's, `reasoning` among the completion's."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        """What is charged against limits."""
        return self.prompt + self.completion

    def after(self, earlier: Usage | None) -> Usage:
        """With what earlier events of the same stream said: these are running totals, and 0 is not said."""
        if earlier is None:
            return self
        return Usage(
            self.prompt or earlier.prompt,
            self.completion or earlier.completion,
            self.cached or earlier.cached,
            self.reasoning or earlier.reasoning,
        )


def usage_of(document: Mapping[str, Any]) -> Usage | None:
    """What an answer, or one event of a stream, says was used; None if it says nothing that makes sense."""
    # Where it stands: at the top, or (responses, Anthropic's message_start) in the object that the event is about.
    message = mapping(document.get("message"))
    for holder in (document, mapping(document.get("response")), message):
        for name, read in (("usage", _from_usage), ("usageMetadata", _from_gemini)):
            if mapping(holder.get(name)):
                usage = _read(read, mapping(holder[name]))
                # A message that has only begun says 1 or so for a completion that is still to come.
                return replace(usage, completion=0) if usage is not None and holder is message else usage
    return None


def _read(read: Callable[[Mapping[str, Any]], Usage], said: Mapping[str, Any]) -> Usage | None:
    try:
        usage = read(said)
    except _Absurd:
        return None
    return usage if usage.total else None


def is_json(headers: Iterable[Header]) -> bool:
    """Whether an answer says it is JSON."""
    return b"json" in (first_value(headers, b"content-type") or b"").lower()


def usage_in_headers(headers: Iterable[Header]) -> Usage | None:
    """Bedrock's, which stands in the headers of an answer whose body does not say it."""
    figures = [first_value(headers, name) or b"0" for name in BEDROCKS]
    if not all(figure.isdigit() and len(figure) < 9 for figure in figures):
        return None
    usage = Usage(*map(int, figures))
    return usage if usage.total else None


def _from_usage(usage: Mapping[str, Any]) -> Usage:
    if "prompt_tokens" in usage or "completion_tokens" in usage:
        return _openai(usage, "prompt_tokens", "completion_tokens")
    if "inputTokens" in usage or "outputTokens" in usage:
        return _cache_beside(usage, "inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
    if "input_tokens_details" in usage or "total_tokens" in usage:
        return _openai(usage, "input_tokens", "output_tokens")
    if "input_tokens" in usage or "output_tokens" in usage:
        return _cache_beside(
            usage, "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"
        )
    return Usage()


def _cache_beside(usage: Mapping[str, Any], prompt: str, completion: str, read: str, written: str) -> Usage:
    """Anthropic and Bedrock count what was read from or written to a cache beside the rest of the prompt."""
    cached = _number(usage, read)
    return Usage(_number(usage, prompt) + cached + _number(usage, written), _number(usage, completion), cached)


def _openai(usage: Mapping[str, Any], prompt: str, completion: str) -> Usage:
    cached = _number(mapping(usage.get(f"{prompt}_details")), "cached_tokens")
    reasoning = _number(mapping(usage.get(f"{completion}_details")), "reasoning_tokens")
    return Usage(_number(usage, prompt), _number(usage, completion), cached, reasoning)


def _from_gemini(usage: Mapping[str, Any]) -> Usage:
    reasoning = _number(usage, "thoughtsTokenCount")
    prompt = _number(usage, "promptTokenCount") + _number(usage, "toolUsePromptTokenCount")
    completion = _number(usage, "candidatesTokenCount") + reasoning
    return Usage(prompt, completion, _number(usage, "cachedContentTokenCount"), reasoning)


def _number(holder: Mapping[str, Any], name: str) -> int:
    value = holder.get(name)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_TOKENS:
        raise _Absurd
    return value


def delivered_text(document: Mapping[str, Any]) -> Iterator[str]:
    """The pieces of generated text in an answer, or in one event of a stream: what the caller has received."""
    for text in _delivered(document):
        if isinstance(text, str) and text:
            yield text


def _delivered(document: Mapping[str, Any]) -> Iterator[Any]:
    for choice in objects(document.get("choices")):
        yield choice.get("text")
        for message in (mapping(choice.get("delta")), mapping(choice.get("message"))):
            yield from _message(message)
    # Responses: `response.output_text.delta` and its like; Anthropic and Bedrock: `content_block_delta`.
    delta = document.get("delta")
    yield delta
    yield from (mapping(delta).get(name) for name in ("text", "partial_json", "thinking"))
    yield mapping(mapping(delta).get("toolUse")).get("input")
    yield mapping(mapping(delta).get("reasoningContent")).get("text")
    for block in [*objects(document.get("content")), *_output_blocks(document)]:
        yield block.get("text")
    for candidate in objects(document.get("candidates")):
        for part in objects(mapping(candidate.get("content")).get("parts")):
            yield part.get("text")


def _message(message: Mapping[str, Any]) -> Iterator[Any]:
    yield from (message.get(name) for name in ("content", "refusal", "reasoning_content"))
    for call in objects(message.get("tool_calls")):
        function = mapping(call.get("function"))
        yield from (function.get("name"), function.get("arguments"))


def _output_blocks(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Responses in one piece: `output` is a list of messages; Bedrock's is one message in an object."""
    output = document.get("output")
    for item in objects(output):
        yield from objects(item.get("content"))
    yield from objects(mapping(mapping(output).get("message")).get("content"))
