"""The kinds of values that documents are made of. Each refusal is a sentence that reads on after the field's name."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

import httpx2
from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StringConstraints

from gateway.catalog.placeholders import check_placeholders, placeholders

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,78}[a-z0-9])?")
PATH_SEGMENT = re.compile(r"[A-Za-z0-9._~-]+")
# The Functions host answers the first two itself; the third is the gateway's own.
RESERVED_SEGMENTS = frozenset({"admin", "runtime", "gateway"})
SCOPE = re.compile(r"/apis|/(apis|products)/([^/]+)")
# RFC 9110, section 5.6.2.
TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# A backend's credential in one of these would break the framing of requests.
FRAMING_HEADERS = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect", "keep-alive"}
)
# A subscription key in one of these would be taken for what clients, proxies and the platform mean by it, would not
# arrive, or would be logged by others as nothing secret.
MEANING_HEADERS = frozenset(
    {
        *("accept", "age", "allow", "baggage", "cache-control", "client-ip", "cookie", "cookie2", "date"),
        *("disguised-host", "etag", "forwarded", "from", "idempotency-key", "last-event-id", "max-forwards", "origin"),
        *("pragma", "prefer", "priority", "range", "referer", "request-id", "traceparent", "tracestate"),
        *("true-client-ip", "user-agent", "via", "warning", "x-client-ip", "x-client-port", "x-correlation-id"),
        *("x-http-method-override", "x-real-ip", "x-request-id", "was-default-hostname"),
    }
)
MEANING_PREFIXES = (
    *("accept-", "access-control-", "cf-", "content-", "if-", "proxy-", "sec-", "x-appservice-", "x-arr-"),
    *("x-azure-", "x-envoy-", "x-fd-", "x-forwarded-", "x-functions-", "x-ms-", "x-original-", "x-site-"),
    *("x-stainless-", "x-waws-"),
)
QUERY_NAME = re.compile(r"[A-Za-z0-9._~-]+")
# The last range is no text at all: halves of characters, which JSON's escapes can write and no table can hold.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# RFC 3986, sections 3.2 and 3.3, without user information: what may stand after `http://`.
URL_REST = re.compile(
    r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(:[0-9]{1,5})?(/([A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*)?"
)
MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)?)?",
)


def check_name(text: str) -> str:
    """A document's name, as it stands in URLs, tables and logs."""
    if NAME.fullmatch(text) is None:
        raise ValueError(
            "must be 1 to 80 lower-case letters, digits and hyphens, and start and end with a letter or digit"
        )
    return text


def check_path(text: str) -> str:
    """Where an API stands below the gateway's address."""
    if not text:
        return text
    if text.startswith("/") or text.endswith("/"):
        raise ValueError("must not start or end with a slash")
    segments = text.split("/")
    if any(PATH_SEGMENT.fullmatch(segment) is None or segment in (".", "..") for segment in segments):
        raise ValueError('must be segments of letters, digits, ".", "_", "~" and "-", joined by "/"')
    if segments[0].lower() in RESERVED_SEGMENTS:
        raise ValueError(f'must not start with "{segments[0]}", which is reserved')
    return text


def check_url(text: str) -> str:
    """Where a backend is."""
    scheme, _, rest = text.partition("://")
    if scheme.lower() not in ("http", "https") or not rest:
        raise ValueError("must start with http:// or https:// and name a host")
    if "@" in rest.partition("/")[0]:
        raise ValueError("must not contain a user name or password; use credentials")
    if "?" in rest or "#" in rest:
        raise ValueError("must not contain a query or a fragment")
    if URL_REST.fullmatch(rest) is None or any(part in (".", "..") for part in rest.split("/")):
        raise ValueError("must be an absolute URL without spaces or other characters that URLs cannot hold")
    if not _is_callable(text):
        raise ValueError("must name a port from 1 to 65535, and a valid host")
    return text


def _is_callable(url: str) -> bool:
    """What the client itself refuses, such as 256.1.1.1, must not get into the catalog."""
    try:
        port = httpx2.URL(url).port
    except httpx2.InvalidURL:
        return False
    return port is None or 0 < port < 65_536


def check_line(text: str) -> str:
    """Text on one line."""
    if CONTROL.search(text):
        raise ValueError("must not contain line breaks or other control characters")
    return text


def check_printable(text: str) -> str:
    """A name that shows: one line, not empty, and nothing in it that cannot be seen."""
    if not text:
        raise ValueError("must not be empty")
    if not text.isprintable() or text != text.strip():
        raise ValueError("must be printable characters, without white space at its ends")
    return text


def check_lines(text: str) -> str:
    """Text that may have several lines."""
    if CONTROL_BUT_LINES.search(text):
        raise ValueError("must not contain control characters")
    return text


def check_secret_text(text: str) -> str:
    """What may be sent as the value of a header. The text itself is never repeated in a message."""
    if not text:
        raise ValueError("must not be empty")
    if CONTROL.search(text):
        raise ValueError(
            'must not contain line breaks or other control characters; with YAML, do not write it after "|"'
        )
    if text != text.strip():
        raise ValueError("must not start or end with white space")
    if not _is_latin_1(text):
        raise ValueError("must not contain characters that cannot stand in a header")
    return text


def _is_latin_1(text: str) -> bool:
    return all(ord(character) < 0x100 for character in text)


def check_credential(text: str) -> str:
    """A credential names its secrets, so that documents can be read and exported by anyone who may see the catalog."""
    check_secret_text(text)
    check_placeholders(text)
    if not placeholders(text):
        raise ValueError(
            'must name its secret, as in "Bearer {{openai-key}}"; '
            "the secret itself goes into a NamedValue, or into an app setting as {{env:NAME}}"
        )
    return text


def check_header_name(text: str) -> str:
    """RFC 9110's field name."""
    if TOKEN.fullmatch(text) is None:
        raise ValueError("must be a header name: letters, digits and hyphens")
    if text.lower() in FRAMING_HEADERS:
        raise ValueError(f'must not be "{text}", which HTTP itself uses')
    return text


def check_key_header(text: str) -> str:
    """The name of a header in which callers put their subscription key."""
    name = check_header_name(text).lower()
    if name in MEANING_HEADERS or name.startswith(MEANING_PREFIXES):
        raise ValueError(f'must not be "{text}", which has a meaning of its own; choose one such as "X-Team-Key"')
    return text


def check_query_name(text: str) -> str:
    """The name of a query parameter, of characters that need no escape."""
    if QUERY_NAME.fullmatch(text) is None:
        raise ValueError('must be letters, digits, ".", "_", "~" and "-"')
    return text


def check_scope(text: str) -> str:
    """What a subscription opens."""
    found = SCOPE.fullmatch(text)
    if found is None or (found[2] and NAME.fullmatch(found[2]) is None):
        raise ValueError('must be "/apis" (all APIs), "/apis/NAME" or "/products/NAME"')
    return text


def parse_moment(value: Any) -> datetime:
    """RFC 3339, section 5.6, with a date alone for midnight; UTC if no offset is given."""
    if isinstance(value, str) and MOMENT.fullmatch(value):
        try:
            value = datetime.fromisoformat(value.upper())
        except ValueError as error:
            raise ValueError(f"is not a date that exists ({error})") from error
    if not isinstance(value, datetime):
        raise ValueError("must be a date such as 2026-01-31 or 2026-01-31T08:00:00Z")
    try:
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("must be a date between the years 1 and 9999") from error


def write_moment(moment: datetime) -> str:
    """RFC 3339 in UTC, the one way in which dates are stored and exported."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def write_number(number: float) -> float | int:
    """`5`, as people write it, and not `5.0`."""
    return int(number) if number.is_integer() else number


def check_different(items: tuple[str, ...]) -> tuple[str, ...]:
    """A list of names, none of them twice."""
    twice = sorted({item for item in items if items.count(item) > 1})
    if twice:
        raise ValueError(f"must not name {', '.join(twice)} more than once")
    return items


Name = Annotated[str, AfterValidator(check_name)]
Names = Annotated[tuple[Name, ...], Field(strict=False), AfterValidator(check_different)]
Line = Annotated[str, StringConstraints(max_length=300), AfterValidator(check_line)]
Lines = Annotated[str, AfterValidator(check_lines)]
ApiPath = Annotated[str, StringConstraints(max_length=400), AfterValidator(check_path)]
Url = Annotated[str, StringConstraints(max_length=2_000), AfterValidator(check_url)]
HeaderName = Annotated[str, StringConstraints(max_length=200), AfterValidator(check_header_name)]
KeyHeaderName = Annotated[str, StringConstraints(max_length=200), AfterValidator(check_key_header)]
QueryName = Annotated[str, StringConstraints(max_length=200), AfterValidator(check_query_name)]
CredentialText = Annotated[str, AfterValidator(check_credential)]
SecretText = Annotated[str, AfterValidator(check_secret_text)]
ScopeText = Annotated[str, AfterValidator(check_scope)]
Moment = Annotated[datetime, BeforeValidator(parse_moment), PlainSerializer(write_moment, return_type=str)]
Seconds = Annotated[float, Field(gt=0, le=86_400), PlainSerializer(write_number, return_type=float | int)]
ByteCount = Annotated[int, Field(ge=1)]
