"""Which headers cross the gateway, in each direction. What is not on these lists passes untouched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.call import Header
from gateway.catalog.keys import holds_key

# RFC 9110, section 7.6.1, and the ones that older agents send.
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)

# Where callers put their gateway keys. None of these ever reaches a backend, key or not.
KEY_HEADERS = frozenset({b"ocp-apim-subscription-key", b"api-key", b"x-api-key", b"authorization", b"x-functions-key"})

# Who the caller is and how the request travelled is not the backend's business. A Referer may hold a key in its query.
CALLER_HEADERS = frozenset(
    {
        b"cookie",
        b"cookie2",
        b"forwarded",
        b"referer",
        b"via",
        b"x-forwarded",
        b"x-real-ip",
        b"true-client-ip",
        b"client-ip",
        b"x-client-ip",
        b"x-client-port",
        b"x-cluster-client-ip",
        b"x-proxyuser-ip",
        b"x-remote-addr",
        b"x-remote-ip",
        b"x-host",
        b"x-rewrite-url",
        b"fastly-client-ip",
        b"cf-connecting-ip",
        b"cf-connecting-ipv6",
        b"cf-ew-via",
        b"cf-ipcountry",
        b"cf-ray",
        b"cf-visitor",
        b"cf-worker",
        b"cdn-loop",
    }
)

# Azure's front ends and the Functions host add these. App Service's authentication adds the caller's own tokens. Other
# x-ms-* headers are what Azure's clients say to the backend, such as x-ms-version.
PLATFORM_HEADERS = frozenset(
    {
        b"x-site-deployment-id",
        b"disguised-host",
        b"was-default-hostname",
        b"x-appservice-proto",
        b"x-ms-auth-token",
        b"x-ms-host",
        b"x-ms-invocation-id",
        b"x-ms-request-id",
        b"x-ms-coldstart",
        b"x-ms-original-url",
        b"x-zumo-auth",
        b"max-forwards",
    }
)
PLATFORM_PREFIXES = (
    b"x-forwarded-",
    b"x-arr-",
    b"x-ms-client-",
    b"x-ms-token-",
    b"x-functions-",
    b"x-waws-",
    b"x-azure-",
    b"x-fd-",
    b"x-envoy-",
    b"x-original-",
)

# The client sets these anew for the backend.
RECOMPUTED = frozenset({b"host", b"content-length", b"expect", b"x-request-id"})

NEVER_SENT = HOP_BY_HOP | KEY_HEADERS | CALLER_HEADERS | PLATFORM_HEADERS | RECOMPUTED

# What a backend says about its servers, its credentials, or tries to leave with the caller. What names one request
# (apim-request-id, x-ms-request-id, x-amzn-requestid) comes back: the provider's support asks for it. So does what
# clients act on, such as Retry-After and x-ratelimit-*.
NEVER_RETURNED = (
    HOP_BY_HOP
    | KEY_HEADERS
    | {
        b"set-cookie",
        b"set-cookie2",
        # A challenge is about the gateway's credential, which is not the caller's to mend.
        b"www-authenticate",
        b"authentication-info",
        b"proxy-authentication-info",
        b"refresh",
        b"server",
        b"via",
        b"x-backend-server",
        b"x-server",
        b"x-runtime",
        b"x-timer",
        b"x-ms-region",
        b"x-litellm-model-api-base",
        b"cache-status",
        b"cf-cache-status",
        b"cf-ray",
        b"proxy-status",
        b"server-timing",
        b"x-varnish",
        b"x-powered-by",
        b"x-served-by",
        b"alt-svc",
        b"clear-site-data",
        b"nel",
        b"report-to",
        b"reporting-endpoints",
        b"strict-transport-security",
        b"x-request-id",
    }
)
NEVER_RETURNED_PREFIXES = (
    b"x-amz-cf-",
    b"x-arr-",
    b"x-aspnet",
    b"x-azure-",
    b"x-cache",
    b"x-envoy-",
    b"x-functions-",
    b"x-kong-",
)


def to_backend(headers: Sequence[Header], also_drop: frozenset[bytes]) -> list[Header]:
    """The caller's headers as the backend may see them. Names are lower case, as ASGI has them.

    A header that holds one of our keys is left out whatever it is called: somebody has put it in the wrong place.
    """
    dropped = also_drop | _named_in_connection(headers)
    return [
        (name, value)
        for name, value in headers
        if name not in NEVER_SENT
        and name not in dropped
        and not name.startswith(PLATFORM_PREFIXES)
        and not holds_key(value.decode("latin-1"))
    ]


def to_caller(headers: Iterable[Header], also_drop: frozenset[bytes]) -> list[Header]:
    """The backend's headers as the caller may see them, in lower case. Addresses in them are for `locations.py`."""
    lowered = [(name.lower(), value) for name, value in headers]
    dropped = also_drop | _named_in_connection(lowered)
    return [
        (name, value)
        for name, value in lowered
        if name not in NEVER_RETURNED and name not in dropped and not name.startswith(NEVER_RETURNED_PREFIXES)
    ]


def _named_in_connection(headers: Iterable[Header]) -> frozenset[bytes]:
    named = [value for name, value in headers if name == b"connection"]
    if not named:
        return frozenset()
    return frozenset(token.strip().lower() for value in named for token in value.split(b","))
