"""Blocklists and their items, kept in memory, with the operations of the REST API."""

from __future__ import annotations

import re
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.content_safety.errors import SafetyError, invalid
from local.content_safety.reading import read_object, strings_of, text_of
from local.content_safety.words import matching

NAME = re.compile(r"[0-9A-Za-z._~-]{1,64}")
LONGEST_ITEM = 128
MOST_ITEMS = 10_000
MOST_ITEMS_AT_ONCE = 100

Item = dict[str, Any]


class Blocklist:
    """One list: `items` by their id."""

    def __init__(self, name: str, description: str | None) -> None:
        self.name = name
        self.description = description
        self.items: dict[str, Item] = {}

    def shown(self) -> dict[str, Any]:
        """As the API shows it."""
        return {"blocklistName": self.name, "description": self.description}


class Blocklists:
    """The operations below `/text/blocklists`."""

    def __init__(self) -> None:
        self._lists: dict[str, Blocklist] = {}

    def put(self, name: str, *texts: str) -> None:
        """For tests: a list with these items, in place of one of that name."""
        self._lists[name] = Blocklist(name, None)
        self._add(self._lists[name], [{"text": text} for text in texts])

    def clear(self) -> None:
        """Forget all of them."""
        self._lists.clear()

    def matches(self, text: str, names: list[str]) -> list[dict[str, str]]:
        """What of these lists occurs in a text; SafetyError for a list that does not exist."""
        found = []
        for blocklist in [self._existing(name) for name in names]:
            hits = set(matching(text, (item["text"] for item in blocklist.items.values())))
            found += [
                {
                    "blocklistName": blocklist.name,
                    "blocklistItemId": identifier,
                    "blocklistItemText": item["text"],
                }
                for identifier, item in blocklist.items.items()
                if item["text"] in hits
            ]
        return found

    async def show_all(self, request: Request) -> Response:
        """GET /text/blocklists"""
        return _page(request, [self._lists[name].shown() for name in sorted(self._lists)])

    async def show(self, request: Request) -> Response:
        """GET /text/blocklists/{name}"""
        return JSONResponse(self._asked(request).shown())

    async def write(self, request: Request) -> Response:
        """PATCH /text/blocklists/{name}: 201 if it is new, else 200."""
        name = request.path_params["name"]
        if not NAME.fullmatch(name):
            raise SafetyError(400, "The blocklist's name has 1 to 64 of 0-9 A-Z a-z - . _ ~.", "InvalidResourceName")
        body = await read_object(request)
        description = body.get("description")
        if description is not None and not isinstance(description, str):
            raise invalid("The field description must be a string.")
        known = self._lists.get(name)
        if known is None:
            known = self._lists[name] = Blocklist(name, description)
            return JSONResponse(known.shown(), 201)
        if "description" in body:
            known.description = description
        return JSONResponse(known.shown())

    async def delete(self, request: Request) -> Response:
        """DELETE /text/blocklists/{name}"""
        del self._lists[self._asked(request).name]
        return Response(status_code=204)

    async def show_items(self, request: Request) -> Response:
        """GET /text/blocklists/{name}/blocklistItems"""
        return _page(request, list(self._asked(request).items.values()))

    async def show_item(self, request: Request) -> Response:
        """GET /text/blocklists/{name}/blocklistItems/{id}"""
        item = self._asked(request).items.get(request.path_params["item"])
        if item is None:
            raise SafetyError(404, "The blocklist has no such item.")
        return JSONResponse(item)

    async def change_items(self, request: Request) -> Response:
        """POST /text/blocklists/{name}:addOrUpdateBlocklistItems and :removeBlocklistItems"""
        blocklist = self._asked(request)
        body = await read_object(request)
        if request.path_params["verb"] == "addOrUpdateBlocklistItems":
            return JSONResponse({"blocklistItems": self._add(blocklist, body.get("blocklistItems"))})
        if request.path_params["verb"] == "removeBlocklistItems":
            return self._remove(blocklist, strings_of(body, "blocklistItemIds"))
        raise SafetyError(404, "There is no such operation.")

    def _add(self, blocklist: Blocklist, items: Any) -> list[Item]:
        if not isinstance(items, list) or not 1 <= len(items) <= MOST_ITEMS_AT_ONCE:
            raise invalid(f"The field blocklistItems must be a list of 1 to {MOST_ITEMS_AT_ONCE} items.")
        if not all(isinstance(item, dict) for item in items):
            raise invalid("The field blocklistItems must be a list of objects.")
        texts = [text_of(item, "text", LONGEST_ITEM) for item in items]
        by_text = {item["text"]: item for item in blocklist.items.values()}
        added = [
            {
                "blocklistItemId": by_text[text]["blocklistItemId"] if text in by_text else str(uuid.uuid4()),
                "description": item.get("description"),
                "text": text,
            }
            for text, item in zip(texts, items, strict=True)
        ]
        if len(blocklist.items.keys() | {item["blocklistItemId"] for item in added}) > MOST_ITEMS:
            raise invalid(f"A blocklist has at most {MOST_ITEMS} items.")
        blocklist.items.update({item["blocklistItemId"]: item for item in added})
        return added

    def _remove(self, blocklist: Blocklist, identifiers: list[str]) -> Response:
        if not identifiers:
            raise invalid("The field blocklistItemIds must not be empty.")
        unknown = [identifier for identifier in identifiers if identifier not in blocklist.items]
        if unknown:
            raise SafetyError(404, "The blocklist has no such item.")
        for identifier in identifiers:
            blocklist.items.pop(identifier, None)
        return Response(status_code=204)

    def _asked(self, request: Request) -> Blocklist:
        return self._existing(request.path_params["name"])

    def _existing(self, name: str) -> Blocklist:
        blocklist = self._lists.get(name)
        if blocklist is None:
            raise SafetyError(404, f"The blocklist {name} does not exist.")
        return blocklist


def _page(request: Request, values: list[dict[str, Any]]) -> Response:
    """One page; `nextLink` leads to what is left."""
    try:
        skip, top, size = (int(request.query_params.get(name, usual)) for name, usual in PAGING.items())
    except ValueError:
        raise SafetyError(400, "top, skip and maxpagesize are numbers.", "InvalidRequestParameter") from None
    wanted = values[skip : skip + top]
    page: dict[str, Any] = {"value": wanted[:size]}
    if len(wanted) > size:
        rest = {"skip": skip + size, "top": top - size, "maxpagesize": size}
        page["nextLink"] = str(request.url.include_query_params(**rest))
    return JSONResponse(page)


PAGING = {"skip": "0", "top": str(MOST_ITEMS), "maxpagesize": "100"}
