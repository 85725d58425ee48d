"""Answers, screened before their callers see them."""
