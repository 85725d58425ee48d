"""Which headers cross."""

import pytest

from gateway.backends.headers import to_backend, to_caller
from gateway.catalog.keys import generate

HELD_BACK = [
    "ocp-apim-subscription-key",
    "api-key",
    "x-api-key",
    "authorization",
    "x-functions-key",
    "cookie",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-arr-log-id",
    "x-arr-ssl",
    "x-ms-client-principal",
    "x-ms-client-principal-name",
    "x-ms-client-ip",
    "x-ms-client-request-id",
    "x-site-deployment-id",
    "disguised-host",
    "client-ip",
    "was-default-hostname",
    "x-original-url",
    "max-forwards",
    "x-ms-invocation-id",
    "x-ms-token-aad-access-token",
    "x-ms-token-google-id-token",
    "x-ms-auth-token",
    "x-ms-original-url",
    "x-zumo-auth",
    "x-ms-host",
    "x-functions-clientid",
    "x-fd-healthprobe",
    "x-forwarded",
    "x-rewrite-url",
    "x-host",
    "referer",
    "true-client-ip",
    "x-cluster-client-ip",
    "x-proxyuser-ip",
    "x-remote-addr",
    "x-remote-ip",
    "x-real-ip",
    "fastly-client-ip",
    "cf-connecting-ip",
    "cf-ipcountry",
    "cf-ray",
    "cf-visitor",
    "cf-ew-via",
    "cdn-loop",
    "x-envoy-external-address",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "proxy-authorization",
    "via",
    "host",
    "content-length",
    "expect",
]
PASSED_ON = [
    "content-type",
    "accept",
    "user-agent",
    "openai-organization",
    "openai-beta",
    "anthropic-version",
    "idempotency-key",
    "traceparent",
    "x-stainless-lang",
    "x-ms-useragent",
    "x-ms-version",
    "x-ms-blob-type",
    "x-ms-date",
    "cf-aig-metadata",
    "x-custom",
]
NOT_RETURNED = [
    "set-cookie",
    "server",
    "via",
    "x-powered-by",
    "connection",
    "transfer-encoding",
    "keep-alive",
    "alt-svc",
    "authorization",
    "api-key",
    "x-api-key",
    "ocp-apim-subscription-key",
    "x-functions-key",
    "www-authenticate",
    "refresh",
    "x-envoy-upstream-service-time",
    "authentication-info",
    "proxy-authenticate",
    "cf-ray",
    "cf-cache-status",
    "x-azure-ref",
    "x-azure-ref-originshield",
    "x-amz-cf-id",
    "x-cache",
    "x-cache-hits",
    "x-kong-upstream-latency",
    "x-backend-server",
    "x-server",
    "x-runtime",
    "x-ms-region",
    "x-litellm-model-api-base",
    "proxy-status",
    "clear-site-data",
    "x-served-by",
    "x-aspnet-version",
]
RETURNED = [
    "content-type",
    "content-length",
    "openai-processing-ms",
    "x-ratelimit-remaining-tokens",
    "retry-after",
    "etag",
    "apim-request-id",
    "x-ms-request-id",
    "x-ms-error-code",
    "x-ms-client-request-id",
    "retry-after-ms",
    "x-should-retry",
    "openai-model",
    "x-amzn-bedrock-input-token-count",
]


@pytest.mark.parametrize("name", HELD_BACK)
def test_what_never_reaches_a_backend(name: str) -> None:
    """Keys, cookies, the way the request travelled and the platform's own headers stay here."""
    assert to_backend([(name.encode(), b"x")], frozenset()) == []


@pytest.mark.parametrize("name", PASSED_ON)
def test_what_reaches_a_backend(name: str) -> None:
    """Everything else passes untouched."""
    assert to_backend([(name.encode(), b"x")], frozenset()) == [(name.encode(), b"x")]


@pytest.mark.parametrize("name", NOT_RETURNED)
def test_what_does_not_come_back(name: str) -> None:
    """Cookies and what a backend says of its own machinery stay here."""
    assert to_caller([(name.title().encode(), b"x")], frozenset()) == []


@pytest.mark.parametrize("name", RETURNED)
def test_what_comes_back(name: str) -> None:
    """The rest of the answer's headers come back, in lower case."""
    assert to_caller([(name.title().encode(), b"x")], frozenset()) == [(name.encode(), b"x")]


def test_headers_named_in_connection_are_hop_by_hop() -> None:
    """A header that Connection lists is for the next hop only, in both directions."""
    pairs = [(b"connection", b"close, X-Hop"), (b"x-hop", b"1"), (b"x-end", b"2")]
    assert to_backend(pairs, frozenset()) == [(b"x-end", b"2")]
    assert to_caller(pairs, frozenset()) == [(b"x-end", b"2")]


def test_names_of_the_apis_own_are_dropped_too() -> None:
    """The header an API takes its keys in, and the one its credential goes out in, are replaced and never returned."""
    pairs = [(b"x-team-key", b"secret"), (b"x-other", b"1")]
    assert to_backend(pairs, frozenset({b"x-team-key"})) == [(b"x-other", b"1")]
    assert to_caller(pairs, frozenset({b"x-team-key"})) == [(b"x-other", b"1")]


def test_a_key_in_any_other_header_stays_here_too() -> None:
    """Whatever the header is called, and whatever stands around the key."""
    key = generate().encode()
    headers = [(b"user-agent", b"x " + key), (b"x-goog-api-key", key), (b"x-team", b"gw_team"), (b"accept", b"*/*")]
    assert to_backend(headers, frozenset()) == headers[2:]
