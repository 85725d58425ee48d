"""A stand-in for a model behind the OpenAI protocol: it answers by rule, counts what it delivers and fails on request.

What it says follows from what it was asked (`answers.py`), so that tests can expect it word for word. Delays and faults
are asked for with `x-stand-in-*` headers (`wishes.py` lists them). `python -m local.model` runs it for people,
`ModelServer` for tests.
"""

from local.model.server import ModelServer

__all__ = ["ModelServer"]
