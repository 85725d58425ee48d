"""The function app that the host is tested with: nothing of the gateway in it but the web extension."""
# ruff: noqa: ASYNC110, ASYNC240  # tests watch this app from outside, through files

import asyncio
import contextlib
import hashlib
import os
import sys
from pathlib import Path

import azure.functions as func
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from gateway.web_extension import WebApp

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
gate = asyncio.Event()
left = []


@contextlib.asynccontextmanager
async def lifespan():
    Path("started").touch()
    yield
    Path("stopped").touch()


WebApp.lifespan = lifespan

taken = []
call_function = WebApp.__call__


async def take_note(self, scope, receive, send):
    """Of every request that reaches the worker's web server, one that no function is called for included."""
    if scope["type"] == "http":
        taken.append([scope["method"], scope["raw_path"].decode()])
    await call_function(self, scope, receive, send)


WebApp.__call__ = take_note


@app.route(route="diagnostics", methods=["GET"])
async def diagnostics(req: Request) -> Response:
    from azure_functions_runtime.http_v2 import http_coordinator

    return JSONResponse(
        {
            "pid": os.getpid(),
            "references": len(http_coordinator._context_references),
            "h11": "h11" in sys.modules,
            "directory": os.getcwd(),
            "path": sys.path[0],
            "left": left,
            "taken": taken,
            "port": req.scope["server"][1],
        }
    )


@app.route(route="order/{anything}")
async def order_a_broad(req: Request) -> Response:
    return Response("broad")


@app.route(route="order/exact")
async def order_b_exact(req: Request) -> Response:
    return Response("exact")


@app.route(route="items/{item:int}/{part?}", methods=["GET"])
async def items(req: Request) -> Response:
    return JSONResponse(dict(req.path_params))


@app.route(route="posted", methods=["POST"])
async def posted(req: Request) -> Response:
    return Response(status_code=204)


@app.route(route="guarded", auth_level=func.AuthLevel.FUNCTION)
async def guarded(req: Request) -> Response:
    return Response("in")


@app.route(route="upload")
async def upload(req: Request) -> Response:
    size, digest = 0, hashlib.sha256()
    async for chunk in req.stream():
        size += len(chunk)
        digest.update(chunk)
    return JSONResponse({"size": size, "sha256": digest.hexdigest()})


class Mirror(Response):
    # StreamingResponse will not do: it reads the request as well, to notice a caller who leaves.
    async def __call__(self, scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        more = True
        while more:
            message = await receive()
            more = message.get("more_body", False)
            await send({"type": "http.response.body", "body": message.get("body", b""), "more_body": more})


@app.route(route="mirror")
async def mirror(req: Request) -> Response:
    return Mirror()


class LastWords(Response):
    async def __call__(self, scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await send({"type": "http.response.body", "body": b"last words"})


@app.route(route="endless")
async def endless(req: Request) -> Response:
    return LastWords()


@app.route(route="blob/{size:int}")
async def blob(req: Request) -> Response:
    return Response(b"x" * int(req.path_params["size"]))


@app.route(route="answer", methods=["POST"])
async def answer(req: Request) -> Response:
    wanted = await req.json()
    response = Response(wanted["body"], wanted.get("status", 200))
    response.raw_headers = [(name.encode(), value.encode()) for name, value in wanted["headers"]]
    return response


@app.route(route="gate")
async def gated(req: Request) -> Response:
    gate.clear()

    async def body():
        yield b"first"
        await gate.wait()
        yield b"second"

    return StreamingResponse(body())


@app.route(route="gate/open")
async def gate_open(req: Request) -> Response:
    gate.set()
    return Response(status_code=204)


@app.route(route="hang/{name}")
async def hang(req: Request) -> Response:
    while (await req.receive())["type"] != "http.disconnect":
        pass
    left.append(req.path_params["name"])
    return Response()


@app.route(route="until/{file}")
async def until(req: Request) -> Response:
    Path(req.path_params["file"] + ".waiting").touch()
    while not Path(req.path_params["file"]).exists():
        await asyncio.sleep(0.01)
    return Response("done")


@app.route(route="broken")
async def broken(req: Request) -> Response:
    raise ValueError("the secret of the function")


@app.route(route="broken/stream")
async def broken_stream(req: Request) -> Response:
    async def body():
        yield b"begun"
        raise ValueError("the secret of the stream")

    return StreamingResponse(body())


@app.route(route="broken/none")
async def broken_none(req: Request) -> Response:
    return None


@app.route(route="plain")
def plain(req: Request) -> Response:
    return Response("from a thread")


@app.route(route="{*path}")
async def zz_everything(req: Request) -> Response:
    return JSONResponse(
        {
            "method": req.method,
            "rawPath": req.scope["raw_path"].decode(),
            "query": req.scope["query_string"].decode(),
            "path": req.path_params.get("path"),
            "headers": [[name.decode(), value.decode()] for name, value in req.headers.raw],
        },
        headers={"x-answer": "1"},
    )
