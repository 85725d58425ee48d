"""A stand-in for Azure AI Content Safety: it judges by a few words and fails on request.

It speaks the REST API's text:analyze, text:shieldPrompt, image:analyze and blocklists, with the limits and errors of
the real service. `words.py` says what it takes for harmful, `faults.py` what can be made to go wrong,
`journal.py` what it remembers of its requests.
`python -m local.content_safety` runs it for people, `SafetyServer` for tests.
"""

from local.content_safety.server import SafetyServer

__all__ = ["SafetyServer"]
