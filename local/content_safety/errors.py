"""What the stand-in refuses, in the shape of Azure's errors."""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

RETRY_AFTER_SECONDS = 1
CODES = {
    400: "InvalidRequestBody",
    401: "401",
    403: "403",
    404: "ResourceNotFound",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServerBusy",
}


class SafetyError(Exception):
    """A refusal: `status`, and the code and message that Azure's clients read."""

    def __init__(self, status: int, message: str, code: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code or CODES.get(status, str(status))
        self._retry_after = RETRY_AFTER_SECONDS if status == 429 and retry_after is None else retry_after

    def response(self) -> JSONResponse:
        """The refusal as an answer; a 429 says when to come again."""
        error = {"code": self.code, "message": str(self)}
        headers = {"x-ms-error-code": self.code}
        if self._retry_after is not None:
            headers["Retry-After"] = str(self._retry_after)
        return JSONResponse({"error": error}, self.status, headers)


def invalid(message: str) -> SafetyError:
    """The refusal of a body."""
    return SafetyError(400, message)


def wanted_status(status: int, retry_after: int | None) -> SafetyError:
    """The error that a fault asks for."""
    return SafetyError(status, f"The stand-in was asked to answer {status}.", retry_after=retry_after)


def answer_safety_error(_: Request, error: Exception) -> Response:
    """Starlette's handler for SafetyError."""
    if not isinstance(error, SafetyError):
        raise error
    return error.response()


def answer_http_exception(request: Request, error: Exception) -> Response:
    """Starlette's handler for unknown paths and wrong methods."""
    if not isinstance(error, HTTPException):
        raise error
    phrase = HTTPStatus(error.status_code).phrase
    return SafetyError(error.status_code, f"{phrase}: {request.method} {request.url.path}").response()
