"""Everything that can go wrong, as one tree, and the one shape in which a caller hears of it.

    Exception
    ├── GatewayError                    becomes a response; carries status, code, message, fault
    │   ├── CallerError                 4xx, the caller can mend it
    │   ├── PolicyError                 refused by a rule the operator set
    │   ├── ProviderError               the backend failed
    │   └── UnavailableError            the gateway itself cannot serve now
    ├── ConfigurationError              settings are wrong; lists every fault
    ├── CatalogError                    documents are wrong; lists every fault
    └── StorageUnavailable              Table Storage cannot be reached or refuses us

The codes are a closed list, `CODES`; `docs/errors.md` describes each and a test compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

FaultOf = Literal["caller", "policy", "provider", "gateway"]


@dataclass(frozen=True, slots=True)
class Code:
    """One entry of the closed list: the machine-readable code, its usual status, and who is at fault."""

    name: str
    status: int
    fault: FaultOf
    message: str


def _codes(*codes: Code) -> Mapping[str, Code]:
    return MappingProxyType({code.name: code for code in codes})


# The messages of the two key codes and of OperationNotFound are API Management's, word for word; clients match on them.
CODES = _codes(
    Code(
        "SubscriptionKeyNotFound",
        401,
        "policy",
        "Access denied due to missing subscription key. "
        "Make sure to include subscription key when making requests to this API.",
    ),
    Code(
        "SubscriptionKeyInvalid",
        401,
        "policy",
        "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription.",
    ),
    # The messages of the limits say more when they are raised; these stand where nothing more is known.
    Code("token_limit_exceeded", 429, "policy", "Token limit is exceeded."),
    Code("rate_limit_exceeded", 429, "policy", "Rate limit is exceeded."),
    Code("token_quota_exceeded", 403, "policy", "Token quota is exceeded."),
    Code("budget_exceeded", 403, "policy", "Budget is exceeded."),
    Code("model_not_priced", 403, "policy", "The model has no price here, and the budget needs one."),
    Code(
        "max_tokens_required",
        400,
        "policy",
        "Say how many tokens may be generated (max_tokens, or what this operation calls it): they are reserved.",
    ),
    Code(
        "max_tokens_invalid",
        400,
        "caller",
        "What the request says of how many tokens may be generated is no number of tokens.",
    ),
    Code("content_filter", 403, "policy", "Request failed content safety check."),
    Code("content_safety_unavailable", 503, "gateway", "Content safety cannot be checked at the moment."),
    Code("ledger_unavailable", 503, "gateway", "The limits cannot be checked at the moment."),
    Code("OperationNotFound", 404, "caller", "Unable to match incoming request to an operation."),
    Code("MethodNotAllowed", 405, "caller", "This operation does not take this method."),
    Code("InvalidPath", 400, "caller", "The path contains characters or segments that are not allowed."),
    Code("InvalidHeader", 400, "caller", "A header of the request is malformed."),
    Code("InvalidJson", 400, "caller", "The body is not valid JSON."),
    Code("InvalidBody", 400, "caller", "The body must be a JSON object."),
    Code("RequestTimeout", 408, "caller", "The body was not sent in time."),
    Code("IncompleteBody", 400, "caller", "The body ended before it was complete."),
    Code("UnsupportedMediaType", 415, "caller", "Send this operation's body with Content-Type: application/json."),
    Code("RequestTooLarge", 413, "caller", "The body is larger than this API allows."),
    Code("CallerDisconnected", 499, "caller", "The caller left before the answer was complete."),
    Code("BackendConnectionFailure", 502, "provider", "The backend could not be reached."),
    Code("BackendInvalidResponse", 502, "provider", "The backend's answer could not be understood."),
    Code("BackendStreamInterrupted", 502, "provider", "The backend's answer ended before it was complete."),
    Code("BackendStreamError", 200, "provider", "The backend reported an error inside its event stream."),
    Code("Timeout", 504, "provider", "The backend did not answer in time."),
    Code("BackendCredentialUnavailable", 502, "gateway", "The credential for the backend could not be obtained."),
    Code("CatalogUnavailable", 503, "gateway", "The gateway has not been able to load its catalog yet."),
    Code("SubscriptionsUnavailable", 503, "gateway", "The subscription key cannot be checked at the moment."),
    Code(
        "GatewayNotConfigured", 503, "gateway", "The gateway's settings are incomplete; its log says what is missing."
    ),
    Code("BackendConnectionsExhausted", 503, "gateway", "All connections to the backend are in use; try again."),
    Code("GatewayStopping", 503, "gateway", "The gateway is restarting; try again."),
    Code("InternalError", 500, "gateway", "The gateway failed on this request."),
)


# The codes with which a limit, or content safety, refuses a call. With `budget_exceeded` a budget also ends a stream,
# which is no refusal.
REFUSALS = frozenset(
    {
        *("token_limit_exceeded", "rate_limit_exceeded", "token_quota_exceeded", "budget_exceeded", "model_not_priced"),
        "content_filter",
    }
)


class GatewayError(Exception):
    """A refusal or failure that the caller is told of. `message` is safe to show; never put secrets into it.

    `param` is the name of the parameter that is at fault, if it is one; `inner` is what Azure OpenAI adds to some
    errors as `innererror`.
    """

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
        param: str | None = None,
        inner: Mapping[str, object] | None = None,
    ) -> None:
        entry = CODES[code]
        self.code = entry.name
        self.status = entry.status
        self.message = message or entry.message
        self.headers = headers
        self.param = param
        self.inner = inner
        super().__init__(self.message)

    def body(self) -> bytes:
        """The one error shape: OpenAI's `error` object and API Management's two fields side by side."""
        return json.dumps(error_document(self), separators=(",", ":")).encode()


class CallerError(GatewayError):
    """The request itself is at fault."""


class PolicyError(GatewayError):
    """A rule the operator set refuses the request."""


class ProviderError(GatewayError):
    """The backend is at fault."""


class UnavailableError(GatewayError):
    """The gateway cannot serve this request now."""


def error_document(error: GatewayError) -> dict[str, object]:
    """`{"error": {message, type, param, code}, "statusCode", "message"}` (API Management's body plus OpenAI's)."""
    said: dict[str, object] = {
        "message": error.message,
        "type": _openai_type(error),
        "param": error.param,
        "code": error.code,
    }
    if error.inner is not None:
        said["innererror"] = error.inner
    return {
        "error": said,
        "statusCode": error.status,
        "message": error.message,
    }


def _openai_type(error: GatewayError) -> str:
    if error.code == "content_filter":
        # As Azure OpenAI has it, whatever the status.
        return "invalid_request_error"
    status = error.status
    names = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
    return names.get(status, "invalid_request_error" if status < 500 else "server_error")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a document: where it stands (`apis/openai.yaml: Api openai: backend.url`) and what."""

    where: str
    problem: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}" if self.where else self.problem


class CatalogError(Exception):
    """Documents were refused; `faults` has every reason, not just the first."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class ConfigurationError(Exception):
    """The settings are wrong; `faults` has every reason, one sentence each, naming the setting."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


class StorageUnavailable(Exception):
    """Table Storage did not answer, or refused the gateway's identity. The message says which, without secrets."""
