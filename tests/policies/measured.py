"""A call before Measure, the rest of its chain, and answers of chat completions."""

import json
from collections.abc import Sequence
from typing import Any

from gateway.body import RequestBody
from gateway.call import Call, Header, Reply
from gateway.llm.tokenizer import Tokenizer
from gateway.llm.tokens import Protocol
from gateway.policies.measure import Measure
from gateway.response import GatewayResponse
from tests.policies.test_admit import entry, never_received
from tests.test_response import Caller, send

PROMPT = {"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "tiktoken is great!"}]}
PROMPT_TOKENS = 3 + 1 + 6 + 3


def make_call(document: dict[str, Any] | None = None, protocol: Protocol | None = Protocol.CHAT) -> Call:
    """As Operate leaves it."""
    call = Call("POST", "/x", b"", [], RequestBody(never_received, None, has_body=False), "id")
    call.document = PROMPT if document is None else document
    call.content = json.dumps(call.document).encode()
    call.protocol, call.model = protocol, "gpt-4o"
    return call


class Backend:
    """The rest of the chain: answers once, and keeps what it was asked."""

    def __init__(self, *answer: Any) -> None:
        self._answer = answer
        self.asked: bytes | None = None
        self.document: Any = None

    async def __call__(self, call: Call) -> Reply:
        self.asked, self.document = call.content, call.document
        body = self._answer[0]
        if isinstance(body, BaseException):
            raise body
        return Reply(self._answer[2] if len(self._answer) > 2 else 200, list(self._answer[1]), body)


async def run(call: Call, tokenizer: Tokenizer, body: Any, headers: Sequence[Header], status: int = 200) -> Caller:
    """The call from Measure to its end, with a caller who takes everything."""
    reply = await Measure(entry(), tokenizer)(call, Backend(body, headers, status))
    caller = Caller()
    await send(GatewayResponse(call, reply), caller)
    return caller


def chunk(text: str) -> bytes:
    """An event of a streamed chat completion."""
    document = {"id": "c-1", "created": 7, "model": "m", "choices": [{"index": 0, "delta": {"content": text}}]}
    return b"data: " + json.dumps(document, ensure_ascii=False).encode() + b"\n\n"


WORDS = ["Grüße", ", und", " viele", " tokens", ":", " 天気", " 👋", " end", "."]
USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 12}}\n\n'
DONE = b"data: [DONE]\n\n"
STREAM = b"".join(map(chunk, WORDS)) + USAGE + DONE


def counted(tokenizer: Tokenizer, text: str) -> int:
    return tokenizer.count_now([text], "gpt-4o")


def whole(usage: Any, text: str = "Hello there, world") -> bytes:
    """A chat completion in one piece."""
    return json.dumps({"choices": [{"message": {"content": text}}], "usage": usage}).encode()


def in_pieces(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]
