"""The Azure Functions app: routes only. Every request goes to the gateway, which finds the API by itself."""

import azure.functions as func
from starlette.requests import Request
from starlette.responses import Response

from gateway.app import build_gateway, stopping_response
from gateway.web_extension import WebApp

gateway = build_gateway()
WebApp.lifespan = gateway.lifespan
WebApp.stopping = stopping_response()

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
CALLS = func.AuthLevel.FUNCTION if gateway.function_auth else func.AuthLevel.ANONYMOUS
app = func.FunctionApp(http_auth_level=CALLS)


@app.function_name("chat_completions")
@app.route(route="chat/completions", methods=["POST"], trigger_arg_name="request")
async def chat_completions(request: Request) -> Response:
    """The operation the gateway is made for, at the root API's path."""
    return await gateway.handle(request)


@app.function_name("management")
@app.route(route="gateway/{*rest}", methods=METHODS, trigger_arg_name="request", auth_level=func.AuthLevel.ANONYMOUS)
async def management(request: Request) -> Response:
    """The gateway's own routes; never behind the host's function keys, so that probes can reach them."""
    return await gateway.manage(request)


# The host tries functions in the order of their names: this one takes what is left, so it must come last.
@app.function_name("passthrough")
@app.route(route="{*path}", methods=METHODS, trigger_arg_name="request")
async def passthrough(request: Request) -> Response:
    """Every other path."""
    return await gateway.handle(request)
