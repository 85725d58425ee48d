"""An answer as it is kept."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from gateway.cache.answers.checks.check import check
from gateway.cache.answers.json_bytes import json_bytes
from gateway.cache.answers.not_kept import NotKept
from gateway.cache.answers.template import ID_PREFIXES, Template
from gateway.llm.tokens import Protocol

FORMAT = 1
# A few bytes can claim to be gigabytes. No answer that was collected is as long as this.
LARGEST_DOCUMENT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class StoredAnswer:
    """The whole answer as the protocol's object, the way a caller that does not stream gets it. Not to be changed."""

    protocol: Protocol
    document: dict[str, Any]

    @cached_property
    def template(self) -> Template:
        """Written once, filled in for every caller."""
        return Template.of(self.protocol, self.document)

    def to_bytes(self) -> bytes:
        """Compressed; the same answer gives the same bytes."""
        kept = {"format": FORMAT, "protocol": self.protocol.value, "document": self.document}
        return zlib.compress(json_bytes(kept))

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """ValueError for what `to_bytes` has not made, or a later version of it."""
        try:
            return cls(*_checked(json.loads(_decompressed(content))))
        except NotKept as error:
            raise ValueError("not an answer that would be kept") from error
        except RecursionError as error:
            raise ValueError("nested too deep") from error


def _checked(kept: Any) -> tuple[Protocol, dict[str, Any]]:
    if not isinstance(kept, dict) or kept.get("format") != FORMAT:
        raise ValueError("not a stored answer of this format")
    protocol, document = Protocol(kept.get("protocol")), kept.get("document")
    if protocol not in ID_PREFIXES or not isinstance(document, dict):
        raise ValueError("not a stored answer of a protocol that is kept")
    check(protocol, document, cache_tool_calls=True)
    return protocol, document


def _decompressed(content: bytes) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        document = unpacking.decompress(content, LARGEST_DOCUMENT_BYTES)
    except zlib.error as error:
        raise ValueError("not compressed") from error
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError("cut, too long, or not alone")
    return document
