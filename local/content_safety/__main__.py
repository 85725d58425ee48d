"""python -m local.content_safety: a stand-in for Azure AI Content Safety."""

from __future__ import annotations

import contextlib
import json
import os

import click

from local.content_safety.application import create_application
from local.content_safety.blocklists import Blocklists
from local.content_safety.faults import Plan
from local.content_safety.journal import Journal
from local.model.server import create_server, listen

PORT_TAKEN = 3


@click.command(help=__doc__)
@click.option("--port", type=click.IntRange(0, 65535), required=True, help="Where to listen; 0 for any free port.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--key", help="A key that callers must bring; without this option everybody is welcome.")
@click.option("--delay", type=click.FloatRange(0), default=0.0, show_default=True, help="Seconds before each answer.")
def main(port: int, host: str, key: str | None, delay: float) -> None:
    """Run until interrupted. Print one line of JSON with `url` and `pid` when calls can be made."""
    try:
        listening = listen(host, port)
    except OSError as error:
        click.echo(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port.", err=True)
        raise SystemExit(PORT_TAKEN) from error
    url = f"http://{host}:{listening.getsockname()[1]}"

    def announce() -> None:
        print(json.dumps({"url": url, "pid": os.getpid()}), flush=True)

    application = create_application(Journal(), Plan(delay), Blocklists(), key)
    # uvicorn shuts down in order, then raises what it was interrupted with.
    with contextlib.suppress(KeyboardInterrupt):
        create_server(application, announce).run([listening])


if __name__ == "__main__":
    main()
