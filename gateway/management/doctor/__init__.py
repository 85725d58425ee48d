"""Looks at everything that calls need, and says what is wrong and what mends it."""
