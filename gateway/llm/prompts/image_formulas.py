"""What a picture costs, in tokens: the formulas that the makers of models publish.

OpenAI: "Images and vision", "Calculating costs". Anthropic: "Vision", "Evaluate image size". Google: "Image
understanding", "Token calculation". As of November 2026.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from gateway.llm.model_names import without_provider
from gateway.llm.prompts.media import Images


class _Tiles(NamedTuple):
    base: int
    tile: int


class _Patches(NamedTuple):
    factor: float


# By the longest prefix of the model's name.
OPENAI = (
    ("gpt-4o-mini", _Tiles(2_833, 5_667)),
    ("gpt-4.1-mini", _Patches(1.62)),
    ("gpt-4.1-nano", _Patches(2.46)),
    ("gpt-5-mini", _Patches(1.62)),
    ("gpt-5-nano", _Patches(2.46)),
    ("o4-mini", _Patches(1.72)),
    ("gpt-5", _Tiles(70, 140)),
    ("o1", _Tiles(75, 150)),
    ("o3", _Tiles(75, 150)),
    ("computer-use-preview", _Tiles(65, 129)),
)
USUAL = _Tiles(85, 170)

PATCH_PIXELS = 32
MAXIMUM_PATCHES = 1_536


@lru_cache(maxsize=256)
def openai_images(model: str | None) -> Images:
    """OpenAI's formula for a model; an unknown one's is that of GPT-4o."""
    name = without_provider(model)
    rule = next((rule for prefix, rule in OPENAI if name.startswith(prefix)), USUAL)
    if isinstance(rule, _Patches):
        factor = rule.factor
        return Images(lambda width, height, detail: math.ceil(_patches(width, height) * factor))
    return Images(
        lambda width, height, detail: rule.base + (0 if detail == "low" else rule.tile * _tiles(width, height))
    )


def _tiles(width: int, height: int) -> int:
    """Squares of 512 pixels, once it fits into 2,048 by 2,048 and its shorter side into 768."""
    scale = min(1.0, 2_048 / max(width, height))
    scale = min(scale, 768 / min(width, height))
    return math.ceil(int(width * scale) / 512) * math.ceil(int(height * scale) / 512)


def _patches(width: int, height: int) -> int:
    """Squares of 32 pixels, shrunk to whole ones until there are no more than 1,536."""
    patches = math.ceil(width / PATCH_PIXELS) * math.ceil(height / PATCH_PIXELS)
    if patches <= MAXIMUM_PATCHES:
        return patches
    shrink = math.sqrt(PATCH_PIXELS**2 * MAXIMUM_PATCHES / (width * height))
    columns, rows = width * shrink / PATCH_PIXELS, height * shrink / PATCH_PIXELS
    shrink *= min(math.floor(columns) / columns if columns >= 1 else 1, math.floor(rows) / rows if rows >= 1 else 1)
    columns, rows = width * shrink / PATCH_PIXELS, height * shrink / PATCH_PIXELS
    return min(MAXIMUM_PATCHES, math.ceil(round(columns, 6)) * math.ceil(round(rows, 6)))


def _anthropic(width: int, height: int, detail: str) -> int:
    scale = min(1.0, 1_568 / max(width, height))
    return min(1_600, math.ceil(width * height * scale**2 / 750))


def _gemini(width: int, height: int, detail: str) -> int:
    if width <= 384 and height <= 384:
        return 258
    unit = max(1, int(min(width, height) / 1.5))
    return 258 * min(64, math.ceil(width / unit) * math.ceil(height / unit))


ANTHROPIC = Images(_anthropic)
GEMINI = Images(_gemini)
