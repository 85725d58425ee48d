"""What the stand-in refuses, in the shape of OpenAI's errors."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class ModelError(Exception):
    """A refusal: `status` and the four fields that OpenAI's clients read."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        parameter: str | None = None,
        kind: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"error": {"message": message, "type": kind, "param": parameter, "code": code}}

    def response(self) -> JSONResponse:
        """The refusal as an answer."""
        headers = {"Retry-After": "1"} if self.status == 429 else None
        return JSONResponse(self.body, self.status, headers)


def status_error(status: int) -> ModelError:
    """The error that `x-stand-in-status` asks for."""
    if status == 429:
        kind, code = "requests", "rate_limit_exceeded"
    elif status >= 500:
        kind, code = "server_error", "stand_in_failure"
    else:
        kind, code = "invalid_request_error", "stand_in_failure"
    return ModelError(status, f"The stand-in model was asked to answer {status}.", code=code, kind=kind)


def answer_model_error(_: Request, error: Exception) -> Response:
    """Starlette's handler for ModelError."""
    if not isinstance(error, ModelError):
        raise error
    return error.response()


def answer_http_exception(request: Request, error: Exception) -> Response:
    """Starlette's handler for what its router refuses: unknown paths and wrong methods."""
    if not isinstance(error, HTTPException):
        raise error
    message = f"{error.detail}: {request.method} {request.url.path}"
    response = ModelError(error.status_code, message).response()
    response.headers.update(error.headers or {})
    return response
