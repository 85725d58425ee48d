"""What ends a run early."""


class BenchFailed(Exception):
    """The run cannot go on; the message is one sentence for the person who started it, with what to do."""
