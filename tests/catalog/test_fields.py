"""The kinds of values that documents are made of."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalog import fields

GOOD: list[tuple[Callable[[str], str], list[str]]] = [
    (fields.check_name, ["a", "0", "openai", "a-b-c", "a" * 80, "a--b"]),
    (fields.check_path, ["", "openai", "a/b/c", "v1.0", "~me", "A_b-c", "x/admin", "administrators", "a" * 300]),
    (
        fields.check_url,
        [
            "http://localhost",
            "https://api.openai.com/v1",
            "HTTPS://A.example:8443/x/",
            "http://[::1]:8000/v1",
            "http://10.0.0.1:1/a%20b/c;d=e/@f",
            "http://a.example/.well-known/x",
        ],
    ),
    (fields.check_header_name, ["Authorization", "api-key", "x_y.z", "X-Forwarded-For"]),
    (fields.check_key_header, ["X-Team-Key", "Authorization", "api-key", "Ocp-Apim-Subscription-Key", "token"]),
    (fields.check_query_name, ["key", "api-key", "a.b~c_d"]),
    (fields.check_scope, ["/apis", "/apis/openai", "/products/starter"]),
    (fields.check_secret_text, ["x", "sk-1", "two words", "é", "{{x"]),
    (fields.check_credential, ["{{key}}", "Bearer {{key}}", "{{env:KEY}}", "{{a}}:{{b}}"]),
    (fields.check_line, ["", "one line", "é😀"]),
    (fields.check_lines, ["", "two\nlines\r\n\tand a tab"]),
]
BAD: list[tuple[Callable[[str], str], list[str]]] = [
    (fields.check_name, ["", "A", "a_b", "-a", "a-", "a" * 81, "a b", "é", "a\n", "a/b", "a."]),
    (
        fields.check_path,
        ["/", "/a", "a/", "a//b", ".", "a/..", "a b", "a%20b", "é", "a?b", "a\\b", "a\n"],
    ),
    (fields.check_path, ["admin", "admin/x", "Runtime/x", "gateway", "GATEWAY/health"]),
    (
        fields.check_url,
        [
            "",
            "openai.com",
            "ftp://a.example",
            "http://",
            "http:///x",
            "http://me:secret@a.example",
            "http://me@a.example/x",
            "http://a.example?x=1",
            "http://a.example/#x",
            "http://a.example/../x",
            "http://a.example:0",
            "http://a.example:99999",
            "http://a.example:x",
            "http://a b.example",
            "http://a.example/ x",
            "http://a.example/%zz",
            "http://a.example\\x",
            "http://bücher.example",
            "http://[::1",
            "http://[zz::1]",
            "http://a.example\n",
        ],
    ),
    (fields.check_header_name, ["", "a b", "a:", "é", "a\nb", "Host", "content-length", "Transfer-Encoding"]),
    (fields.check_key_header, ["", "a b", "Host", "Connection", "Content-Type", "Content-Length", "Cookie", "Accept"]),
    (fields.check_key_header, ["Transfer-Encoding", "User-Agent", "X-Request-Id", "x-ms-invocation-id", "traceparent"]),
    (fields.check_key_header, ["Accept-Encoding", "X-Forwarded-For", "x-functions-key", "Range", "If-None-Match"]),
    (fields.check_query_name, ["", "a b", "a=b", "a&b", "é", "a[]"]),
    (fields.check_scope, ["", "/", "apis", "/apis/", "/apis/A", "/apis/a/b", "/products", "/users/a", "/apis/a\n"]),
    (fields.check_secret_text, ["", " x", "x ", "a\nb", "a\rb", "a\x00b", "x\n", "\u4e2d"]),
    (fields.check_credential, ["", "Bearer sk-plain", "{{a b}}", "{{key}} {{", "Bearer {{key}}\n"]),
    (fields.check_line, ["a\nb", "\x00", "a\u2028b", "\x7f"]),
    (fields.check_lines, ["\x00", "\x1b[31m"]),
]


@pytest.mark.parametrize(("check", "texts"), GOOD, ids=lambda value: getattr(value, "__name__", ""))
def test_good_text_is_kept_as_it_is(check: Callable[[str], str], texts: list[str]) -> None:
    """Nothing is corrected silently."""
    assert [check(text) for text in texts] == texts


@pytest.mark.parametrize(("check", "texts"), BAD, ids=lambda value: getattr(value, "__name__", ""))
def test_bad_text_is_refused_with_a_sentence(check: Callable[[str], str], texts: list[str]) -> None:
    """One that reads on after the field's name."""
    for text in texts:
        with pytest.raises(ValueError, match=r"^(must|has) "):
            check(text)


def test_a_refused_secret_is_not_repeated() -> None:
    """Messages end up in logs and terminals."""
    for check in (fields.check_secret_text, fields.check_credential):
        with pytest.raises(ValueError, match="must") as caught:
            check("sk-very-secret\n")
        assert "sk-very" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T08:00:00Z", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        ("2026-01-31t08:00:00z", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        ("2026-01-31 08:00:00.25+02:00", datetime(2026, 1, 31, 6, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-01-31T08:00:00", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        (datetime(2026, 1, 31, 8, tzinfo=timezone(timedelta(hours=-1))), datetime(2026, 1, 31, 9, tzinfo=UTC)),
    ],
)
def test_moments_are_read_into_utc(value: Any, moment: datetime) -> None:
    """RFC 3339, with a date alone for midnight."""
    assert fields.parse_moment(value) == moment
    assert fields.parse_moment(value).tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        *("", "tomorrow", "2026-02-30", "2026-1-1", "20260131", "2026-01-31T25:00:00Z", "2026-W05-6"),
        *("0001-01-01T00:00:00+02:00", "9999-12-31T23:59:59-02:00", "2026-01-31T08:00:00+99:00"),
        *(20260131, None, True),
    ],
)
def test_what_is_no_moment_is_refused(value: Any) -> None:
    """With a sentence, never with an OverflowError."""
    with pytest.raises(ValueError, match=r"^(must|is) "):
        fields.parse_moment(value)


@given(st.datetimes(timezones=st.just(UTC)))
def test_moments_are_written_so_that_they_are_read_back(moment: datetime) -> None:
    """Stored and exported in one form."""
    written = fields.write_moment(moment)
    assert written.endswith("Z")
    assert fields.parse_moment(written) == moment


@pytest.mark.parametrize(
    "url",
    [
        "http://256.1.1.1/v1",
        "http://[:::]/v1",
        "http://[1.2.3.4]/v1",
        "http://a.example:0/v1",
        "https://a.example:65536",
    ],
)
def test_urls_that_the_client_cannot_call(url: str) -> None:
    """They look like URLs; the refusal says which part to mend."""
    with pytest.raises(ValueError, match="must name a port from 1 to 65535, and a valid host"):
        fields.check_url(url)
