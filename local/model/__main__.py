"""python -m local.model: a stand-in for a model behind the OpenAI protocol."""

from __future__ import annotations

import contextlib
import json
import os

import click

from local.model.application import create_application
from local.model.counters import Counters
from local.model.server import create_server, listen

PORT_TAKEN = 3


@click.command(help=__doc__)
@click.option("--port", type=click.IntRange(0, 65535), required=True, help="Where to listen; 0 for any free port.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--key", help="A key that callers must bring; without this option everybody is welcome.")
def main(port: int, host: str, key: str | None) -> None:
    """Run until interrupted. Print one line of JSON with `url` and `pid` when calls can be made."""
    try:
        listening = listen(host, port)
    except OSError as error:
        click.echo(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port.", err=True)
        raise SystemExit(PORT_TAKEN) from error
    url = f"http://{host}:{listening.getsockname()[1]}/v1"

    def announce() -> None:
        print(json.dumps({"url": url, "pid": os.getpid()}), flush=True)

    # uvicorn shuts down in order, then raises what it was interrupted with.
    with contextlib.suppress(KeyboardInterrupt):
        create_server(create_application(Counters(), key), announce).run([listening])


if __name__ == "__main__":
    main()
