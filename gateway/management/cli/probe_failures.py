"""Why a backend could not be called, in one sentence with the remedy."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2

from gateway.errors import GatewayError

# OpenSSL's X509_V_ERR_*: expired, not yet valid, self-signed (alone or in the chain), unknown issuer, wrong host.
EXPIRED = frozenset({9, 10})
UNKNOWN_ISSUER = frozenset({2, 18, 19, 20, 21})
WRONG_HOST = frozenset({62, 64})


def explain_failure(error: GatewayError, url: str) -> str:
    """What went wrong and what helps. The causes of `error` say more than it tells a caller."""
    host = urlsplit(url).netloc
    for cause in _causes(error):
        sentence = _sentence(cause, host)
        if sentence is not None:
            return sentence
    return f"{host} cannot be reached: check the URL and that this machine may connect to it."


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The deepest first: the operating system knows best."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    return reversed(chain)


def _sentence(cause: BaseException, host: str) -> str | None:
    match cause:
        case ssl.SSLCertVerificationError():
            return _certificate(cause, host)
        case ssl.SSLError():
            return _handshake(cause, host)
        case socket.gaierror():
            return f"The host name in {host} is not known: check its spelling, or this machine's DNS."
        case httpx2.ConnectTimeout() | httpx2.PoolTimeout():
            return f"{host} did not accept a connection in time: check scheme and port, and firewalls on the way."
        case httpx2.TimeoutException():
            return f"{host} accepted the connection but did not answer in time: check that it is the server you mean."
        case httpx2.RemoteProtocolError() | httpx2.ReadError():
            return f"{host} does not answer in HTTP: check the port, or whether the URL should start with https://."
        case OSError():
            return _system(cause, host)
    return None


def _certificate(error: ssl.SSLCertVerificationError, host: str) -> str:
    if error.verify_code in EXPIRED:
        return f"The TLS certificate of {host} has expired or is not valid yet: renew it, or set this machine's clock."
    if error.verify_code in WRONG_HOST:
        return f"The TLS certificate of {host} is for another host name: use the name that it was issued for."
    if error.verify_code in UNKNOWN_ISSUER:
        return (
            f"The TLS certificate of {host} is not signed by an authority this machine trusts: install one that is, "
            "or, for a test only, apply the Api as a file with verifyTls: false."
        )
    return f"The TLS certificate of {host} is refused ({error.verify_message}): it must be replaced."


def _handshake(error: ssl.SSLError, host: str) -> str:
    if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"):
        return f"{host} does not speak TLS: start the URL with http://, or give the port that does."
    if not error.reason:
        return f"TLS with {host} cannot be agreed on: check the port, or whether the URL should start with http://."
    return f"TLS with {host} fails ({error.reason}): the server must offer TLS 1.2 or later."


def _system(error: OSError, host: str) -> str | None:
    # When several addresses fail, asyncio puts their errors into one text.
    if error.errno == errno.ECONNREFUSED or f"[Errno {errno.ECONNREFUSED}]" in str(error):
        return f"Nothing listens at {host}: check the port, and that the server is running."
    if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return f"There is no network route to {host}: check this machine's network, VPN or firewall."
    if error.errno in (errno.ECONNRESET, errno.EPIPE):
        return f"{host} closes connections at once: check the port, or whether the URL should start with https://."
    return None
