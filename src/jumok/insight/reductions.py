"""Many maps to few figures: rollout through layers, distance, and alignments read from both sides.

Maps are ``(..., Q, K)`` with rows that sum to 1, as `record` gives them, without the batch.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from jumok.insight.maps import Map, Weights, as_map

Link = tuple[int, int]
"""A row and the key that it is aligned with: (target piece, source piece)."""


def rollout(maps: Sequence[Weights], residual: float = 0.5) -> Map:
    """How much of each first input reaches each row after all layers: self-attention ``(H, N, N)`` -> ``(N, N)``.

    ``A_l = (1 - r) mean_h W_l + r I``, each row brought to sum 1, ``R = A_L ... A_1``: attention followed from layer to
    layer, the residual path counted as attention to oneself (Abnar and Zuidema 2020, "Quantifying Attention Flow in
    Transformers", section 3, with r = 0.5).

    Raises:
        ValueError: there is no map, or one is not square.
    """
    if not maps:
        raise ValueError("rollout needs at least one layer's map")
    rolled: Map | None = None
    for weights in maps:
        mean = as_map(weights).mean(0, dtype=np.float64)
        if mean.ndim != 2 or mean.shape[0] != mean.shape[1]:
            raise ValueError(f"rollout follows self-attention (H, N, N); a map of {mean.shape} has other keys")
        step = (1 - residual) * mean + residual * np.eye(len(mean))
        total = step.sum(-1, keepdims=True)
        step = np.divide(step, total, out=step, where=total > 0)
        rolled = step if rolled is None else step @ rolled
    assert rolled is not None
    return as_map(rolled)


def cross_rollout(cross: Weights, encoder: Sequence[Weights], residual: float = 0.5) -> Map:
    """Cross-attention of one layer ``(H, Q, K)`` carried back to the source's own pieces: ``mean_h W R`` -> ``(Q, K)``.

    ``R`` is the `rollout` of the encoder: a decoder looks at features, into which the encoder has mixed other pieces.
    """
    looked = as_map(cross).mean(0)
    return as_map(looked @ rollout(encoder, residual)) if encoder else looked


def mean_distance(weights: Weights) -> Map:
    """``1/Q sum_i sum_j w_ij |i - j|`` in tokens: self-attention ``(..., N, N)`` -> ``(...)``, one figure a head.

    How far a head looks on average (Clark et al. 2019, section 3.1; Dosovitskiy et al. 2021, figure 7, for patches).
    """
    weights = as_map(weights)
    places = np.arange(weights.shape[-1])
    apart = np.abs(places[: weights.shape[-2], None] - places)
    return as_map((weights * apart).sum(-1).mean(-1))


def argmax_alignment(weights: Weights, rows: int | None = None) -> set[Link]:
    """Each row's best key, of the first `rows` rows: ``{(i, argmax_j w_ij)}``; a row of zeros has none."""
    chosen = as_map(weights)[:rows]
    return {(row, int(weights.argmax())) for row, weights in enumerate(chosen) if weights.any()}


def symmetrised(weights: Weights, how: Literal["intersection", "union", "grow"] = "grow") -> set[Link]:
    """Links that rows and keys agree on: each row's best key and each key's best row, joined.

    ``intersection`` keeps what both say, ``union`` what either says; ``grow`` starts from the first and adds links of
    the second that touch one, diagonally too, where a row or key has none yet (Koehn et al. 2003, "Statistical
    Phrase-Based Translation", section 3: grow-diag).
    """
    weights = as_map(weights)
    forth = argmax_alignment(weights)
    back = {(row, key) for key, row in argmax_alignment(weights.T)}
    if how != "grow":
        return forth & back if how == "intersection" else forth | back
    links, union = forth & back, forth | back
    while True:
        rows, keys = {row for row, _ in links}, {key for _, key in links}
        added = {
            (row, key)
            for row, key in union - links
            if (row not in rows or key not in keys)
            and any((row + i, key + j) in links for i in (-1, 0, 1) for j in (-1, 0, 1))
        }
        if not added:
            return links
        links |= added
