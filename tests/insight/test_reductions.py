"""Reductions against figures worked out by hand, and the laws that they keep."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumok.insight.maps import Map
from jumok.insight.reductions import argmax_alignment, cross_rollout, mean_distance, rollout, symmetrised


def some(seed: int, *shape: int) -> Map:
    weights = np.random.default_rng(seed).random(shape, dtype=np.float32)
    return weights / weights.sum(-1, keepdims=True)


def test_rollout_follows_paths() -> None:
    first = np.array([[[0, 1, 0], [0, 0, 1], [0, 0, 1]]], dtype=np.float32)
    second = np.array([[[0, 1, 0], [0, 1, 0], [1, 0, 0]]], dtype=np.float32)
    # without residuals the first row of the second layer looks at row 1, which looked at input 2
    np.testing.assert_allclose(rollout([first, second], 0.0)[0], [0, 0, 1])
    half = (first[0] + np.eye(3)) / 2
    np.testing.assert_allclose(rollout([first]), half)
    np.testing.assert_allclose(rollout([first, second]), (second[0] + np.eye(3)) / 2 @ half)


@given(seed=st.integers(0, 99), layers=st.integers(1, 4))
def test_rollout_keeps_all_weight(seed: int, layers: int) -> None:
    maps = [some(seed + layer, 2, 5, 5) for layer in range(layers)]
    np.testing.assert_allclose(rollout(maps).sum(-1), 1, atol=1e-5)
    np.testing.assert_allclose(cross_rollout(some(seed, 3, 4, 5), maps).sum(-1), 1, atol=1e-5)


def test_rollout_is_of_self_attention() -> None:
    with pytest.raises(ValueError, match=r"has other keys"):
        rollout([some(1, 2, 4, 5)])
    with pytest.raises(ValueError, match="at least one"):
        rollout([])
    np.testing.assert_allclose(cross_rollout(some(1, 2, 4, 5), []), some(1, 2, 4, 5).mean(0))


def test_distances_by_hand() -> None:
    itself, next_one = np.eye(4, dtype=np.float32), np.roll(np.eye(4, dtype=np.float32), 1, axis=1)
    even = np.full((4, 4), 0.25, dtype=np.float32)
    found = mean_distance(np.stack([itself, next_one, even]))
    np.testing.assert_allclose(found, [0, (1 + 1 + 1 + 3) / 4, (6 + 4 + 4 + 6) / 16])


def test_alignments_from_both_sides() -> None:
    weights = np.array([[0.8, 0.2, 0.0], [0.5, 0.3, 0.2], [0.0, 0.4, 0.6]], dtype=np.float32)
    assert argmax_alignment(weights) == {(0, 0), (1, 0), (2, 2)}
    assert argmax_alignment(weights, rows=2) == {(0, 0), (1, 0)}
    assert argmax_alignment(np.zeros((1, 2), dtype=np.float32)) == set()
    assert symmetrised(weights, "intersection") == {(0, 0), (2, 2)}
    assert symmetrised(weights, "union") == {(0, 0), (1, 0), (2, 2), (2, 1)}
    # (1, 0) touches (0, 0) and row 1 has none yet; (2, 1) touches (2, 2) and key 1 has none yet
    assert symmetrised(weights) == {(0, 0), (2, 2), (1, 0), (2, 1)}


@given(seed=st.integers(0, 99))
def test_grown_links_lie_between(seed: int) -> None:
    weights = some(seed, 6, 4)
    links = symmetrised(weights)
    assert symmetrised(weights, "intersection") <= links <= symmetrised(weights, "union")
    back = {(key, row) for row, key in symmetrised(weights.T)}
    assert back == links, "the same from the other side"
