"""Pictures are measured by their headers, and cost what their makers publish."""

import pytest

from gateway.llm.prompts.image_formulas import ANTHROPIC, GEMINI, openai_images
from gateway.llm.prompts.media import UNKNOWN_SIZE, audio_seconds, picture_size
from tests.llm.prompts.pictures import gif, jpeg, png, webp

# Makers' documentation: OpenAI "Images and vision", Anthropic "Vision", Google "Image understanding".
PUBLISHED = [
    ("gpt-4o", 1024, 1024, "high", 765),
    ("gpt-4o", 2048, 4096, "high", 1105),
    ("gpt-4o", 4096, 8192, "low", 85),
    ("gpt-4o-mini", 1024, 1024, "high", 2_833 + 4 * 5_667),
    ("o3", 1024, 1024, "high", 75 + 4 * 150),
    ("gpt-5", 512, 512, "high", 70 + 140),
    ("unknown", 512, 512, "high", 85 + 170),
    ("gpt-4.1-mini", 1024, 1024, "high", 1_659),
    ("gpt-4.1-mini", 1800, 2400, "high", 2_353),
    ("gpt-4.1-nano", 1024, 1024, "high", 2_520),
    ("o4-mini", 1024, 1024, "high", 1_762),
]


@pytest.mark.parametrize(("model", "width", "height", "detail", "tokens"), PUBLISHED)
def test_openais_formulas(model: str, width: int, height: int, detail: str, tokens: int) -> None:
    """The examples of the documentation: tiles for most models, patches for the smaller new ones."""
    assert openai_images(model).formula(width, height, detail) == tokens


@pytest.mark.parametrize(
    ("width", "height", "tokens"), [(200, 200, 54), (1000, 1000, 1334), (1092, 1092, 1590), (8000, 8000, 1600)]
)
def test_anthropics_formula(width: int, height: int, tokens: int) -> None:
    """Width times height by 750, shrunk to what the model looks at."""
    assert ANTHROPIC.formula(width, height, "auto") == tokens


@pytest.mark.parametrize(("width", "height", "tokens"), [(384, 384, 258), (960, 540, 6 * 258), (10_000, 1, 64 * 258)])
def test_googles_formula(width: int, height: int, tokens: int) -> None:
    """A small picture is one tile; of a larger one the tiles depend on its shorter side."""
    assert GEMINI.formula(width, height, "auto") == tokens


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4.1-mini"])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 100_000), (100_000, 1), (100_000, 100_000), (33, 49_000)])
def test_pictures_of_odd_sizes(model: str, width: int, height: int) -> None:
    """No size is an error, and none costs more than the formula's highest."""
    assert 1 <= openai_images(model).formula(width, height, "high") <= 2_500


@pytest.mark.parametrize(
    "data",
    [png(640, 480), jpeg(640, 480), jpeg(640, 480, preview=100_000), gif(640, 480), webp(640, 480)],
    ids=["PNG", "JPEG", "JPEG with a preview", "GIF", "WebP"],
)
def test_the_size_of_a_picture(data: str) -> None:
    """From its header, however much follows."""
    assert picture_size(data + "A" * 1_000_000) == (640, 480)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "!",
        "AAAA",
        png(640, 480)[:16],
        jpeg(640, 480, preview=1_000_000),
        "PHN2ZyB3aWR0aD0iMSIgaGVpZ2h0PSIxIi8+",
        png(0, 0),
    ],
    ids=["nothing", "no base64", "no picture", "cut off", "far behind a preview", "SVG", "without pixels"],
)
def test_a_picture_that_cannot_be_measured(data: str) -> None:
    """Taken for one of a usual size."""
    assert picture_size(data) == UNKNOWN_SIZE


def test_audio_costs_its_length() -> None:
    """Ten seconds of 16-bit samples at 24 kHz, and of MP3."""
    assert audio_seconds("A" * (480_000 * 4 // 3), "wav") == 10
    assert audio_seconds("A" * (160_000 * 4 // 3), "mp3") == pytest.approx(10, abs=0.01)
