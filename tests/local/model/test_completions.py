"""Completions through the official client."""

from __future__ import annotations

from openai import OpenAI

from local.model.tokens import count_tokens


def test_completions(client: OpenAI) -> None:
    """The older operation answers each prompt, plain and streamed."""
    answer = client.completions.create(model="any", prompt=["a", "b"], n=2)
    texts = ["You said: a", "You said: a (2)", "You said: b", "You said: b (2)"]
    assert [choice.text for choice in answer.choices] == texts
    assert answer.usage is not None
    assert answer.usage.completion_tokens == sum(map(count_tokens, texts))
    streamed = list(
        client.completions.create(
            model="any", prompt="a", max_tokens=2, stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(chunk.choices[0].text for chunk in streamed[:-1]) == "You said"
    assert streamed[-2].choices[0].finish_reason == "length"
    assert streamed[-1].usage is not None
    assert streamed[-1].usage.completion_tokens == 2
