"""Azurite's table service, the Table Storage of this machine."""

from __future__ import annotations

import signal
import socket
import weakref
from dataclasses import dataclass
from pathlib import Path

from local.processes import REPOSITORY, Process

PROGRAM = REPOSITORY / "node_modules" / ".bin" / "azurite-table"
LISTENING = "Azurite Table service successfully started"
USUAL_PORT = 10002
ACCOUNT = "devstoreaccount1"
# Not a secret: the documented key of every emulated storage account.
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass(frozen=True, slots=True)
class Certificate:
    """Two PEM files."""

    chain: Path
    key: Path


class Azurite:
    """A running azurite-table. Without a directory it keeps everything in memory; without a port it takes a free one.

    `stop()` and `start()` again keep the port, so that clients can be watched through an outage. With a certificate it
    speaks HTTPS, and takes tokens of Microsoft Entra ID, of which it checks everything but the signature.
    """

    def __init__(
        self, directory: Path | None = None, port: int | None = None, certificate: Certificate | None = None
    ) -> None:
        self._directory = directory
        self._port = port or self._reserved()
        self._certificate = certificate
        self._process: Process | None = None

    @property
    def connection_string(self) -> str:
        """What GATEWAY_TABLES takes."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};"
            f"TableEndpoint=http://127.0.0.1:{self._port}/{ACCOUNT};"
        )

    @property
    def account_url(self) -> str:
        """What GATEWAY_TABLES takes where an identity asks."""
        return f"https://127.0.0.1:{self._port}/{ACCOUNT}"

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def process(self) -> Process | None:
        """The child process, None when it is not running."""
        return self._process

    @property
    def pid(self) -> int | None:
        """The child's process id, None when it is not running."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it and wait until it listens; raise ProcessFailed if it does not."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start it without waiting, for a caller with more to start meanwhile."""
        # Only SIGINT makes it write what it has; SIGTERM would lose up to five seconds of changes.
        self._process = Process("azurite", [str(PROGRAM), *self._options()], stop_signal=signal.SIGINT)
        self._process.start()

    def wait_until_ready(self, seconds: float = 30.0) -> None:
        """Wait until it listens; raise ProcessFailed if it does not."""
        if self._process is None:
            raise RuntimeError("launch() comes first")
        self._process.wait_for_line(lambda line: LISTENING in line, seconds)

    def stop(self) -> None:
        """Stop it and wait; what it stored in a directory is on disk afterwards."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def __enter__(self) -> Azurite:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _reserved(self) -> int:
        """A free port that is given to nobody else as long as this is kept.

        A socket that is bound and does not listen has it; Linux lets another that reuses addresses listen there.
        """
        held = socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        weakref.finalize(self, held.close)
        return int(held.getsockname()[1])

    def _options(self) -> list[str]:
        options = ["--tableHost", "127.0.0.1", "--tablePort", str(self._port), "--silent", "--disableTelemetry"]
        # Newer storage clients name API versions that Azurite does not know yet.
        options.append("--skipApiVersionCheck")
        if self._certificate is not None:
            options += ["--cert", str(self._certificate.chain), "--key", str(self._certificate.key), "--oauth", "basic"]
        if self._directory is None:
            return [*options, "--inMemoryPersistence"]
        self._directory.mkdir(parents=True, exist_ok=True)
        return [*options, "--location", str(self._directory)]


def free_port() -> int:
    """A port nothing listens on now. Azurite, told to choose one itself, does not say which it chose."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def usual_port_if_free() -> int:
    """10002, where other tools look for Azurite, or a free port when something has it."""
    return USUAL_PORT if port_is_free(USUAL_PORT) else free_port()


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        # As servers do: connections of a server that has just ended must not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
