"""The endpoint from which apps on Azure get tokens of their managed identity, as App Service has it.

`GET ?resource=…&client_id=…&api-version=2019-08-01` with the header `X-IDENTITY-HEADER`. The tokens have the shape of
Microsoft Entra ID's; nobody signs them, and Azurite does not ask for that.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

SECRET = "secret-of-the-endpoint"
CLIENT_ID = "cccccccc-1111-4111-8111-000000000000"
TENANT = "aaaaaaaa-2222-4222-8222-000000000000"


class IdentityServer:
    """Gives tokens, and keeps what it was asked. `claims` replace those of the next tokens; `status` refuses them."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.claims: dict[str, Any] = {}
        self.status = 200
        self.lifetime = 3_600
        identity = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                identity.answer(self)

            def log_message(self, format: str, *arguments: Any) -> None:
                """Nothing: the test knows what it asks."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def environment(self) -> dict[str, str]:
        """What Azure sets in an app's process."""
        url = f"http://127.0.0.1:{self._server.server_port}/msi/token"
        return {"IDENTITY_ENDPOINT": url, "IDENTITY_HEADER": SECRET, "AZURE_CLIENT_ID": CLIENT_ID}

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """One request."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        self.asked.append(query)
        wrong = request.headers.get("X-IDENTITY-HEADER") != SECRET or query.get("client_id") != CLIENT_ID
        status = 401 if wrong else self.status
        document = self._token(query) if status == 200 else {"statusCode": status, "message": "no such identity"}
        content = json.dumps(document).encode()
        request.send_response(HTTPStatus(status))
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def _token(self, query: dict[str, str]) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "aud": query["resource"],
            "iss": f"https://sts.windows.net/{TENANT}/",
            "iat": now,
            "nbf": now - 60,
            "exp": now + self.lifetime,
            "appid": CLIENT_ID,
            "tid": TENANT,
            **self.claims,
        }
        parts = [json.dumps({"typ": "JWT", "alg": "RS256"}), json.dumps(claims), "no signature"]
        token = ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts)
        expires = str(now + self.lifetime)
        return {"access_token": token, "expires_on": expires, "resource": query["resource"], "token_type": "Bearer"}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def claims_of(token: str) -> dict[str, Any]:
    """What a token says."""
    said = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(said + "=" * (-len(said) % 4)))
    return claims
