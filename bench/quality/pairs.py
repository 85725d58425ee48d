"""Pairs of prompts of which somebody has said whether one answer serves both. Where they are from: data/paraphrases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gateway.cache.guard import disagreement, fingerprint
from local.processes import REPOSITORY

FOLDER = REPOSITORY / "bench" / "data" / "paraphrases"
VECTORS = "vectors-minilm-l6-v2.npz"
MODEL = "all-MiniLM-L6-v2"


@dataclass(frozen=True, slots=True)
class Pair:
    """A prompt with a cached answer, and a new one."""

    name: str
    cached: str
    asked: str
    # Whether a careful person accepts the cached answer for the new prompt.
    is_same: bool
    kind: str
    # By cosine, from 0 to 2. Pairs without vectors are at 0: for them the guard decides alone.
    distance: float = 0.0


@dataclass(frozen=True, slots=True)
class Judged:
    """A pair with the guard's reason to refuse it, if it has one."""

    pair: Pair
    reason: str | None


def pairs_with_vectors() -> list[Pair]:
    """300 pairs, with their distances."""
    vectors = np.load(FOLDER / VECTORS)
    distances = 1.0 - np.sum(vectors["a"] * vectors["b"], axis=1)
    return _pairs("pairs", [float(distance) for distance in distances])


def own_pairs() -> list[Pair]:
    """More pairs, without vectors."""
    return _pairs("own")


def judged(pairs: Sequence[Pair]) -> list[Judged]:
    """What the guard says to each."""
    return [Judged(pair, disagreement(fingerprint(pair.cached), fingerprint(pair.asked))) for pair in pairs]


def _pairs(name: str, distances: Sequence[float] = ()) -> list[Pair]:
    lines = [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    return [
        Pair(line["id"], line["a"], line["b"], line["label"] == "same", line["kind"], distance)
        for line, distance in zip(lines, distances or [0.0] * len(lines), strict=True)
    ]
