"""Numbers of image maps on maps made by hand: where the look went, how far it went, and what the projection holds."""

import numpy as np
import pytest
import torch

from jumok.insight.image_maps import (
    attention_distance,
    class_attention,
    distances,
    filters,
    position_similarity,
    rollout,
)
from jumok.insight.maps import Map, as_map


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(shape).mul(2).softmax(-1)


def test_class_attention_is_the_row_of_the_token_over_the_grid() -> None:
    weights = draw(2, 3, 8, 8)
    seen = class_attention(weights, 2, (2, 3))
    assert seen.shape == (2, 3, 2, 3)
    assert seen[1, 2, 1, 0] == weights[1, 2, 0, 2 + 3]
    assert class_attention(weights, 2, (2, 3), token=1)[1, 2, 0, 2] == weights[1, 2, 1, 2 + 2]
    np.testing.assert_allclose(seen.sum((-2, -1)), 1 - weights[..., 0, :2].sum(-1), atol=1e-6)


def test_without_a_class_token_the_mean_patch_looks() -> None:
    weights = draw(3, 6, 6)
    seen = class_attention(weights, 0, (2, 3))
    np.testing.assert_allclose(seen.reshape(3, 6), weights.mean(1), atol=1e-6)
    np.testing.assert_allclose(seen.sum((-2, -1)), 1, atol=1e-5)


def test_rollout_of_one_layer_is_half_its_attention() -> None:
    weights = draw(4, 7, 7)
    np.testing.assert_allclose(rollout([weights], 1, (2, 3)).reshape(-1), weights.mean(0)[0, 1:] / 2, atol=1e-6)


def test_rollout_follows_paths_through_layers() -> None:
    # layer 1: patch 2 takes from patch 1; layer 2: the class token takes from patch 2; all else stays where it is
    first, second = torch.eye(5)[None].clone(), torch.eye(5)[None].clone()
    first[0, 2] = torch.eye(5)[1]
    second[0, 0] = torch.eye(5)[2]
    # class -> patch 2 (1/2) -> patch 2 itself or patch 1 (1/2 each)
    np.testing.assert_allclose(rollout([first, second], 1, (2, 2)), [[0.25, 0.25], [0, 0]])
    np.testing.assert_allclose(rollout([second, first], 1, (2, 2)), [[0, 0.5], [0, 0]])


def test_rollout_keeps_all_weight_and_gives_an_even_look_an_even_picture() -> None:
    maps = [draw(2, 6, 6) for _ in range(5)]
    np.testing.assert_allclose(rollout(maps, 0, (2, 3)).sum(), 1, atol=1e-5)
    even = torch.full((2, 7, 7), 1 / 7)
    # what has left the class token is spread over all seven, itself too
    np.testing.assert_allclose(rollout([even] * 3, 1, (2, 3)), np.full((2, 3), (1 - 1 / 8) / 7), atol=1e-6)


def test_distance_of_looks_made_by_hand() -> None:
    even, itself = torch.full((4, 4), 0.25), torch.eye(4)
    right = torch.eye(4)[[1, 0, 3, 2]]  # each looks at its neighbour in the row
    across = torch.eye(4)[[3, 2, 1, 0]]
    found = attention_distance(torch.stack([even, itself, right, across]), 0, (2, 2), 16)
    np.testing.assert_allclose(found, [16 * (0 + 1 + 1 + 2**0.5) / 4, 0, 16, 16 * 2**0.5], rtol=1e-6)
    assert distances((2, 2), 16).mean() == pytest.approx(found[0])


def test_distance_leaves_the_models_own_tokens_out() -> None:
    patches = draw(2, 3, 6, 6)
    share = torch.rand(2, 3, 6, 2) * 0.4
    whole = torch.zeros(2, 3, 8, 8)
    whole[..., :2, :] = draw(2, 3, 2, 8)
    whole[..., 2:, :2] = share
    whole[..., 2:, 2:] = patches * (1 - share.sum(-1, keepdim=True))
    np.testing.assert_allclose(
        attention_distance(whole, 2, (2, 3), 4), attention_distance(patches, 0, (2, 3), 4), rtol=1e-4
    )


def test_a_patch_that_looked_at_no_patch_is_left_out() -> None:
    weights = torch.zeros(1, 3, 3)
    weights[0, :, 0] = 1
    assert attention_distance(weights, 1, (1, 2), 8) == [0]
    weights[0, 1] = torch.tensor([0.0, 0.0, 1.0])
    assert attention_distance(weights, 1, (1, 2), 8) == [8]


def test_distance_counts_pixels_by_definition() -> None:
    weights = as_map(draw(12, 12))
    total = 0.0
    for i in range(12):
        for j in range(12):
            total += weights[i, j] * np.hypot(5 * (i // 4 - j // 4), 5 * (i % 4 - j % 4))
    assert attention_distance(weights, 0, (3, 4), 5) == pytest.approx(total / 12, rel=1e-5)


def test_filters_find_the_patterns_that_the_projection_is_mixed_of() -> None:
    patterns = torch.linalg.qr(torch.randn(48, 48))[0][:3]
    mixed = torch.randn(400, 3) * torch.tensor([9.0, 3.0, 1.0])
    weight = (mixed - mixed.mean(0)) @ patterns + torch.randn(48)  # the same shift for all is no pattern
    found = filters(weight.reshape(400, 3, 4, 4), 3)
    assert found.shape == (3, 3, 4, 4)
    flat = found.reshape(3, -1)
    np.testing.assert_allclose(flat @ flat.T, np.eye(3), atol=1e-4)
    likeness: Map = np.abs(flat @ patterns.numpy().T)
    assert likeness[0, 0] > 0.95
    # together they span the same three
    np.testing.assert_allclose(np.linalg.norm(flat @ patterns.numpy().T, axis=1), 1, atol=1e-3)
    assert (flat[np.arange(3), np.abs(flat).argmax(1)] > 0).all()
    assert filters(weight.reshape(400, 3, 4, 4)[:6], 28).shape == (6, 3, 4, 4)


def test_similarity_of_positions_by_hand() -> None:
    positions = torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 2.0], [-1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    found = position_similarity(positions, (2, 3))
    assert found.shape == (2, 3, 2, 3)
    np.testing.assert_allclose(found[0, 0], [[1, 1, 0], [-1, 0.5**0.5, 0]], atol=1e-6)
    np.testing.assert_allclose(found, found.transpose(2, 3, 0, 1), atol=1e-6)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 5, 5\) for 1 tokens and 2 x 3 patches"):
        class_attention(draw(2, 5, 5), 1, (2, 3))
    with pytest.raises(ValueError, match="5 positions for 2 x 2 patches"):
        position_similarity(torch.randn(5, 8), (2, 2))
