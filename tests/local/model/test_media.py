"""Pictures and sound through the official client."""

from __future__ import annotations

import base64
import io
import wave

from openai import OpenAI


def test_images(client: OpenAI) -> None:
    """n valid pictures, and one for an edit."""
    pictures = client.images.generate(model="any", prompt="a dot", n=2).data or []
    assert [base64.b64decode(picture.b64_json or "")[:8] for picture in pictures] == [b"\x89PNG\r\n\x1a\n"] * 2
    assert len(client.images.edit(image=("dot.png", b"dot"), prompt="again").data or []) == 1


def test_audio(client: OpenAI) -> None:
    """Speech is a valid WAV file; a transcription says what arrived, whatever bytes it was made of."""
    spoken = client.audio.speech.create(model="any", voice="alloy", input="hello").read()
    with wave.open(io.BytesIO(spoken)) as sound:
        assert sound.getnframes() == 800
    heard = client.audio.transcriptions.create(model="any", file=("talk.wav", spoken))
    assert heard.text == f"Heard {len(spoken)} bytes of talk.wav."
