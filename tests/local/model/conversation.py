"""Talks with the stand-in model: through the client, over HTTP with wishes, and over a bare socket."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Any

import httpx2
from openai import OpenAI

from local.model import ModelServer

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
HELLO_BACK = "You said: hello"
WEATHER_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
CHAT: dict[str, Any] = {"model": "any", "messages": HELLO}
STREAM = {**CHAT, "stream": True}
DONE = b"data: [DONE]"


def chat(client: OpenAI, **options: Any) -> Any:
    return client.chat.completions.create(**{"model": "stand-in", "messages": HELLO, **options})


def post(server: ModelServer, body: Any, **wishes: Any) -> httpx2.Response:
    headers = {f"x-stand-in-{name.replace('_', '-')}": str(value) for name, value in wishes.items()}
    return httpx2.post(f"{server.url}/chat/completions", json=body, headers=headers)


@dataclass(frozen=True)
class Received:
    """What a socket gave, in the pieces it gave it, and how it ended: closed, reset or not yet."""

    pieces: list[bytes]
    end: str

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces).partition(b"\r\n\r\n")[2]


def converse(server: ModelServer, body: Any, seconds: float = 5.0, **wishes: Any) -> Received:
    """Send one request over a socket of its own and read until the end, or for some seconds."""
    with connect(server, body, **wishes) as connection:
        connection.settimeout(seconds)
        pieces: list[bytes] = []
        try:
            while piece := connection.recv(65536):
                pieces.append(piece)
        except ConnectionResetError:
            return Received(pieces, "reset")
        except TimeoutError:
            return Received(pieces, "waiting")
    return Received(pieces, "closed")


def connect(server: ModelServer, body: Any, **wishes: Any) -> socket.socket:
    content = json.dumps(body).encode()
    lines = [
        "POST /v1/chat/completions HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: close",
        f"Content-Length: {len(content)}",
        *(f"x-stand-in-{name.replace('_', '-')}: {value}" for name, value in wishes.items()),
    ]
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
    return connection


def unchunked(body: bytes) -> list[bytes]:
    """The chunks of a chunked body, as far as it goes."""
    chunks = []
    while body:
        size, _, rest = body.partition(b"\r\n")
        chunks.append(rest[: int(size, 16)])
        body = rest[int(size, 16) + 2 :]
    return chunks
