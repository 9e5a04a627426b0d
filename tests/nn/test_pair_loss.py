"""Losses of pairs equal their formulas in float64, and know no order of the pairs."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from jumok.nn.pair_loss import (
    RANK_SCALE,
    angular_loss,
    order_loss,
    ranking_loss,
    relation_features,
    similarity_loss,
)


def vectors(count: int, seed: int, dim: int = 6) -> torch.Tensor:
    return F.normalize(
        torch.randn(count, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)), dim=1
    )


@given(count=st.integers(1, 7), hard=st.integers(0, 5), seed=st.integers(0, 999), margin=st.sampled_from([0.0, 0.3]))
def test_ranking_is_its_formula(count: int, hard: int, seed: int, margin: float) -> None:
    queries, keys, scale = vectors(count, seed), vectors(count + hard, seed + 1), 20.0
    places = torch.arange(count)
    found = ranking_loss(queries, keys, places, scale, margin=margin)
    expected = 0.0
    for i in range(count):
        own = math.exp(scale * (float(queries[i] @ keys[i]) - margin))
        others = sum(math.exp(scale * float(queries[i] @ keys[j])) for j in range(count + hard) if j != i)
        expected -= math.log(own / (own + others))
    assert abs(float(found) - expected) < 1e-9 * max(1, abs(expected))
    order = torch.randperm(count)
    moved = ranking_loss(
        queries[order], keys[[*order.tolist(), *range(count, count + hard)]], places, scale, margin=margin
    )
    torch.testing.assert_close(moved, found)


def test_blocked_keys_are_no_negatives_but_the_partner_stays() -> None:
    queries, keys = vectors(3, 1), vectors(5, 2)
    blocked = torch.zeros(3, 5, dtype=torch.bool)
    blocked[:, 3] = blocked[0, 0] = True
    found = ranking_loss(queries, keys, torch.arange(3), 10.0, blocked=blocked)
    torch.testing.assert_close(found, ranking_loss(queries, keys[[0, 1, 2, 4]], torch.arange(3), 10.0))


@given(seed=st.integers(0, 999), count=st.integers(1, 8))
def test_graded_losses_are_their_formulas(seed: int, count: int) -> None:
    random = torch.Generator().manual_seed(seed)
    cosines = torch.rand(count, generator=random, dtype=torch.float64) * 1.8 - 0.9
    grades = torch.randint(0, 4, (count,), generator=random).double() / 3
    pairs = list(zip(cosines.tolist(), grades.tolist(), strict=True))
    assert math.isclose(float(similarity_loss(cosines, grades)), sum((c - g) ** 2 for c, g in pairs))
    angles = sum((1 - math.acos(c) / math.pi - g) ** 2 for c, g in pairs)
    assert math.isclose(float(angular_loss(cosines, grades)), angles, rel_tol=1e-6, abs_tol=1e-9)
    wrong = sum(math.exp(RANK_SCALE * (c - d)) for c, g in pairs for d, h in pairs if h > g)
    assert math.isclose(float(order_loss(cosines, grades)), count * math.log(1 + wrong), rel_tol=1e-9)


def test_order_loss_falls_where_the_order_is_right() -> None:
    grades = torch.tensor([0.0, 0.5, 1.0])
    assert order_loss(torch.tensor([0.1, 0.2, 0.9]), grades) < order_loss(torch.tensor([0.9, 0.2, 0.1]), grades)
    same = torch.tensor([0.3, 0.3, 0.3])
    assert float(order_loss(torch.tensor([0.1, 0.5, 0.2]), same)) == 0


def test_angles_have_a_gradient_everywhere() -> None:
    cosines = torch.tensor([1.0, -1.0, 0.0], requires_grad=True)
    angular_loss(cosines, torch.tensor([0.2, 0.7, 0.5])).backward()
    assert cosines.grad is not None
    assert torch.isfinite(cosines.grad).all()


def test_relation_features() -> None:
    left, right = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, -1.0]])
    assert relation_features(left, right).tolist() == [[1, 2, 3, -1, 2, 3, 3, -2]]
