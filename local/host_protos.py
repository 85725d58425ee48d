"""Stand-ins for the messages that the Functions host and its Python worker exchange.

In Azure they are protocol buffers over gRPC. The worker's library only reads attributes and calls constructors with
keyword arguments, so plain objects do. What the worker builds (its answers) is a `Message` with whatever it was given;
what the host builds for every call (an invocation) is a named tuple, which is cheaper.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple


class Message(SimpleNamespace):
    """An answer of the worker: the fields it was made with."""


class WorkerInitResponse(Message):
    pass


class WorkerMetadata(Message):
    pass


class FunctionMetadataResponse(Message):
    pass


class FunctionLoadResponse(Message):
    pass


class InvocationResponse(Message):
    pass


class RpcFunctionMetadata(Message):
    pass


class RpcRetryOptions(Message):
    pass


class RpcException(Message):
    """`message` and `stack_trace`."""


class StatusResult(Message):
    """`status`, and `exception` when it is a failure."""

    Failure = 0
    Success = 1


class BindingInfo(Message):
    """A binding of a function; the numbers are those of the protocol's enumerations."""

    out = 1
    inout = 2
    undefined = 0


class TypedData(NamedTuple):
    """The one kind of data this host sends: an HTTP trigger."""

    http: RpcHttp | None

    def WhichOneof(self, _group: str) -> str | None:  # the name that protocol buffers give it
        return None if self.http is None else "http"


class RpcHttp(NamedTuple):
    """The trigger's data. Only the route parameters matter: the request itself travels over HTTP."""

    params: dict[str, str]
    method: str = ""
    url: str = ""
    headers: dict[str, str] = {}  # noqa: RUF012  # never written to
    query: dict[str, str] = {}  # noqa: RUF012
    body: TypedData = TypedData(None)


class ParameterBinding(NamedTuple):
    name: str
    data: TypedData

    def WhichOneof(self, _group: str) -> str:
        return "data"


class TraceContext(NamedTuple):
    trace_parent: str
    trace_state: str
    attributes: dict[str, str]


class RetryContext(NamedTuple):
    retry_count: int = 0
    max_retry_count: int = 0
    exception: RpcException | None = None


class InvocationRequest(NamedTuple):
    invocation_id: str
    function_id: str
    input_data: tuple[ParameterBinding, ...]
    trace_context: TraceContext
    retry_context: RetryContext = RetryContext()
    trigger_metadata: dict[str, TypedData] = {}  # noqa: RUF012


class WorkerRequest(NamedTuple):
    """What the worker's library takes: `request` holds the message under the name of its kind."""

    request: Any
    properties: dict[str, Any]


class InvocationEnvelope(NamedTuple):
    invocation_request: InvocationRequest
