"""The catalog, and everybody it says calls are sent to."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Sequence

from gateway.backends.client import BackendClient
from gateway.backends.credentials import ManagedIdentity
from gateway.cache.embedder import Embedder, EmbeddingFailed
from gateway.catalog.backend_settings import ManagedIdentityCredentials
from gateway.catalog.caches import ResolvedCache
from gateway.catalog.models import Document
from gateway.catalog.remarks import remarks
from gateway.catalog.screenings import ResolvedScreening
from gateway.catalog.snapshot import ApiEntry, ResolvedBackend, Snapshot
from gateway.errors import Fault
from gateway.management.cli.probe import probe
from gateway.management.doctor.bounded import bounded
from gateway.management.doctor.finding import Finding, State
from gateway.management.safety_tried import tried

# Somebody waits at a terminal; embeddings may have to wake up.
EMBEDDING_SECONDS = 15.0
AT_ONCE = 8
STATES: dict[str, State] = {"good": "ok", "doubtful": "warning", "failed": "failed"}
TEXT = "Hello"
MISSING_SETTING = re.compile(r"the app setting (\w+) is not set")
NAMED = re.compile(r"(?:named value|Backend|Product) (\S+) is missing or cannot be")
# How clients call it that they have no token, or one that is not good enough.
REFUSALS = ("unauthorized", "embeddings-refused", "embeddings-unavailable")
NOT_OURS = (
    "The app has an identity of its own, which cannot be tried from here. To try it with yours: `az login`, with the "
    "role Cognitive Services User (for embeddings Cognitive Services OpenAI User) there."
)


def check_catalog(snapshot: Snapshot, faults: Sequence[Fault], documents: Sequence[Document]) -> Iterator[Finding]:
    """What is wrong with it, what is remarkable, and how much there is."""
    missing = [(each, found[1]) for each in faults if (found := MISSING_SETTING.search(each.problem))]
    rest = [fault for fault in faults if not MISSING_SETTING.search(fault.problem)]
    for fault in _not_following(rest, [fault for fault, _ in missing]):
        correct = "Correct the document, and `python -m gateway apply -f FILE`."
        yield Finding("catalog", "failed", f"{fault}.", correct)
    for fault, name in missing:
        # It may be there where the gateway runs.
        mend = f"Set {name} where the gateway runs. To have it and what uses it tried from here: `export {name}=…`."
        yield Finding("catalog", "warning", f"{fault}.", mend)
    for remark in remarks(documents):
        yield Finding("catalog", "warning", f"{remark}.", "If it is not meant so, change it and apply it again.")
    if not snapshot.apis:
        yield Finding("catalog", "warning", "There is no API that can be called.", "`python -m gateway import`")
    elif not faults:
        yield Finding("catalog", "ok", f"Revision {snapshot.revision} serves {', '.join(sorted(snapshot.apis))}.")


def _not_following(faults: Sequence[Fault], roots: Sequence[Fault]) -> list[Fault]:
    """Those that are not there only because a document that they name has one of the `roots`."""
    left, broken = list(faults), {_document(fault) for fault in roots}
    while following := [fault for fault in left if broken.intersection(NAMED.findall(fault.problem))]:
        left = [fault for fault in left if fault not in following]
        broken = {_document(fault) for fault in following}
    return left


def _document(fault: Fault) -> str:
    """The name of the document at fault: `key` of `NamedValue key: value`."""
    return fault.where.partition(":")[0].rpartition(" ")[2]


async def check_backends(snapshot: Snapshot, client_id: str | None) -> AsyncIterator[Finding]:
    """The backends of APIs, what makes embeddings, and what screens. Each is asked once."""
    entries = list(snapshot.apis.values())
    work = [
        *(("backend", each) for each in _probes(entries)),
        *(("embeddings", each) for each in _embeddings(entries, client_id)),
        *(("content safety", each) for each in _screenings(entries, client_id)),
    ]
    if not work:
        yield Finding("backends", "skipped", "No API has any.")
    gate = asyncio.Semaphore(AT_ONCE)
    for findings in asyncio.as_completed([_gated(gate, check, each) for check, each in work]):
        for finding in await findings:
            yield finding


async def _gated(gate: asyncio.Semaphore, check: str, work: Awaitable[list[Finding]]) -> list[Finding]:
    async with gate:
        return await bounded(check, work)


def _probes(entries: Iterable[ApiEntry]) -> Iterator[Awaitable[list[Finding]]]:
    seen = set()
    for entry in entries:
        key = (entry.backend.settings.url, entry.backend.credential_value, entry.api.type)
        if key not in seen:
            seen.add(key)
            yield _probe(entry)


async def _probe(entry: ApiEntry) -> list[Finding]:
    name = entry.backend.name or "of its own"
    found = await probe(entry.api.type, entry.backend)
    mend = "" if found.verdict == "good" else f"`python -m gateway apis show {entry.api.name}` says how it is asked."
    return [Finding("backend", STATES[found.verdict], f"{name} (API {entry.api.name}): {found.text}", mend)]


def _embeddings(entries: Iterable[ApiEntry], client_id: str | None) -> Iterator[Awaitable[list[Finding]]]:
    seen = set()
    for entry in entries:
        for cache in entry.caches.all():
            if cache.space and cache.space not in seen:
                seen.add(cache.space)
                yield _embed(cache, entry.api.name, client_id)


async def _embed(cache: ResolvedCache, api: str, client_id: str | None) -> list[Finding]:
    embeddings, backend = cache.settings.embeddings, cache.backend
    assert embeddings is not None
    assert backend is not None
    tokens = ManagedIdentity.of_operator(client_id)
    client = BackendClient(tokens, max_connections=2)
    embedder = Embedder(client, backend, embeddings.model, embeddings.dimensions)
    try:
        await embedder.ready()
        vector = (await embedder.embed(TEXT, EMBEDDING_SECONDS)).vector
    except EmbeddingFailed as failed:
        said = f"{embeddings.model} of {backend.name} (API {api}): {failed.reason}"
        if _is_not_ours(backend, failed.reason):
            return [Finding("embeddings", "warning", f"{said}, for whoever is signed in here.", NOT_OURS)]
        said += ". Only equal questions are answered."
        mend = "Check `semanticCache.embeddings`: its backend, credentials, model and dimensions."
        return [Finding("embeddings", "failed", said, mend)]
    finally:
        await embedder.aclose()
        await client.aclose()
        await tokens.aclose()
    return [Finding("embeddings", "ok", f"{embeddings.model} of {backend.name}: {len(vector)} dimensions.")]


def _screenings(entries: Iterable[ApiEntry], client_id: str | None) -> Iterator[Awaitable[list[Finding]]]:
    seen: list[ResolvedScreening] = []
    for entry in entries:
        for screening in entry.screenings.all():
            if screening not in seen:
                seen.append(screening)
                yield _screen(screening, entry.api.name, client_id)


async def _screen(screening: ResolvedScreening, api: str, client_id: str | None) -> list[Finding]:
    (found,) = await tried([screening], TEXT, client_id)
    if found.unavailable is None:
        return [Finding("content safety", "ok", f"{found.backend} (API {api}) answers every check.")]
    if screening.backend is not None and _is_not_ours(screening.backend, found.unavailable):
        said = f"{found.backend} (API {api}): {found.unavailable}, for whoever is signed in here."
        return [Finding("content safety", "warning", said, NOT_OURS)]
    state: State = "failed" if found.blocks_unscreened else "warning"
    follows = "calls are refused" if found.blocks_unscreened else "calls go through unscreened"
    said = f"{found.backend} (API {api}) does not answer: {found.unavailable}; {follows}."
    mend = (
        f"Check its URL, credentials and role; for blocklists `python -m gateway safety blocklists list --api {api}`; "
        f'then `python -m gateway safety test --api {api} "{TEXT}"`.'
    )
    return [Finding("content safety", state, said, mend)]


def _is_not_ours(backend: ResolvedBackend, reason: str) -> bool:
    """Whether it may be only the one who asks from here that has no access."""
    return reason in REFUSALS and isinstance(backend.settings.credentials, ManagedIdentityCredentials)
