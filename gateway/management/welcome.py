"""What a new deployment says at its own address, until there is an API: that it works, and what to do next."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence

from gateway.call import Call, Header, Reply, first_value

TITLE = "The gateway runs. It has no API yet."
# What to do, and the command for it.
STEPS: Sequence[tuple[str, str]] = (
    ("See that everything is in order", "python -m gateway doctor"),
    ("Say which model there is; it asks for what it needs", "python -m gateway import"),
    ("Make a key for whoever may call it", "python -m gateway subscriptions create first --scope /apis"),
)
WHERE = (
    "Type these where you deployed from. The command line works on the same tables: docs/deploy.md says "
    "how it gets there. This page is gone once there is an API."
)
STYLE = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 12vh auto; max-width: 42rem; padding: 0 1.5rem; }
h1 { font-size: 1.6rem; line-height: 1.25; }
li { margin: 1rem 0; }
pre { background: color-mix(in srgb, currentColor 9%, transparent); border-radius: .4rem; margin: .3rem 0;
  overflow-x: auto; padding: .6rem .9rem; }
p.where { opacity: .75; }
"""


def welcome(call: Call) -> Reply:
    """A page for browsers, JSON for others."""
    accepted = first_value(call.headers, b"accept") or b""
    headers: list[Header] = [(b"cache-control", b"no-store"), (b"vary", b"accept")]
    if b"text/html" in accepted.lower():
        policy = b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
        headers += [(b"content-type", b"text/html; charset=utf-8"), (b"content-security-policy", policy)]
        return Reply(200, headers, _page())
    steps = [{"do": what, "command": command} for what, command in STEPS]
    document = {"status": "empty", "message": TITLE, "next": steps, "where": WHERE}
    return Reply(200, [*headers, (b"content-type", b"application/json")], json.dumps(document).encode())


def _page() -> bytes:
    steps = "".join(
        f"<li>{html.escape(what)}:<pre><code>{html.escape(command)}</code></pre></li>" for what, command in STEPS
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(TITLE)}</title><style>{STYLE}</style></head>"
        f"<body><h1>{html.escape(TITLE)}</h1><ol>{steps}</ol><p class=where>{html.escape(WHERE)}</p></body></html>"
    ).encode()
