"""text:analyze, image:analyze and text:shieldPrompt."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.content_safety.blocklists import Blocklists
from local.content_safety.errors import invalid
from local.content_safety.reading import LONGEST_TEXT, choice_of, read_object, strings_of, text_of
from local.content_safety.words import CATEGORIES, is_attack, severities

LARGEST_IMAGE = 4 * 1024 * 1024
MOST_DOCUMENTS = 5
FOUR, EIGHT = "FourSeverityLevels", "EightSeverityLevels"


class Analysis:
    """The three operations; each says what it was asked for in `request.state.asked`."""

    def __init__(self, blocklists: Blocklists) -> None:
        self._blocklists = blocklists

    async def text(self, request: Request) -> Response:
        """POST /text:analyze"""
        body = await read_object(request)
        text = text_of(body, "text")
        categories = _categories(body)
        levels = choice_of(body, "outputType", (FOUR, EIGHT))
        matches = self._blocklists.matches(text, strings_of(body, "blocklistNames"))
        if matches and body.get("haltOnBlocklistHit") is True:
            categories = []
        return JSONResponse({"blocklistsMatch": matches, "categoriesAnalysis": _analysis(text, categories, levels)})

    async def image(self, request: Request) -> Response:
        """POST /image:analyze: judged by the words that its bytes spell, such as those of a comment in it."""
        body = await read_object(request)
        levels = choice_of(body, "outputType", (FOUR,))
        words = _image_of(body).decode("latin-1")
        return JSONResponse({"categoriesAnalysis": _analysis(words, _categories(body), levels)})

    async def shield(self, request: Request) -> Response:
        """POST /text:shieldPrompt"""
        body = await read_object(request)
        documents = strings_of(body, "documents")
        if len(documents) > MOST_DOCUMENTS:
            raise invalid(f"The field documents has {len(documents)} documents, more than {MOST_DOCUMENTS}.")
        if sum(map(len, documents)) > LONGEST_TEXT:
            raise invalid(f"The documents have more than {LONGEST_TEXT} characters together.")
        prompt = text_of(body, "userPrompt") if body.get("userPrompt") else None
        if prompt is None and not documents:
            raise invalid("One of the fields userPrompt and documents must be given.")
        answer: dict[str, Any] = {}
        if prompt is not None:
            answer["userPromptAnalysis"] = {"attackDetected": is_attack(prompt)}
        if documents:
            answer["documentsAnalysis"] = [{"attackDetected": is_attack(document)} for document in documents]
        return JSONResponse(answer)


def _categories(body: dict[str, Any]) -> list[str]:
    asked = strings_of(body, "categories")
    unknown = [category for category in asked if category not in CATEGORIES]
    if unknown:
        raise invalid(f"The field categories takes {', '.join(CATEGORIES)}.")
    return asked or list(CATEGORIES)


def _analysis(text: str, categories: list[str], levels: str) -> list[dict[str, Any]]:
    worst = severities(text)
    # Four levels are the even ones: each severity is rounded down.
    step = 2 if levels == FOUR else 1
    return [{"category": category, "severity": worst[category] // step * step} for category in categories]


def _image_of(body: dict[str, Any]) -> bytes:
    image = body.get("image")
    content = image.get("content") if isinstance(image, dict) else None
    if not isinstance(content, str):
        raise invalid("The field image must have content; this stand-in fetches no blobUrl.")
    try:
        decoded = base64.b64decode(content, validate=True)
    except binascii.Error as error:
        raise invalid("The image's content is not base64.") from error
    if not 1 <= len(decoded) <= LARGEST_IMAGE:
        raise invalid(f"The image has {len(decoded)} bytes; 1 to {LARGEST_IMAGE} are allowed.")
    return decoded
