"""Pooling is its formula, over real tokens alone."""

import pytest
import torch

from jumok.nn.mask import Mask
from jumok.nn.pooling import PoolKind, WeightedPool, pool_module
from jumok.nn.state import Encoded

KINDS: tuple[PoolKind, ...] = ("sqrt", "mean", "class", "weighted")


def encoded(features: torch.Tensor, lengths: list[int]) -> Encoded:
    return Encoded(features, Mask(torch.tensor(lengths)))


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_its_formula_whatever_the_padding_holds(kind: PoolKind) -> None:
    torch.manual_seed(1)
    features, tokens, lengths = torch.randn(3, 5, 4), torch.randint(0, 9, (3, 5)), [5, 2, 1]
    pool = pool_module(kind, 9)
    if isinstance(pool, WeightedPool):
        torch.nn.init.normal_(pool.log_weight)
    found = pool(encoded(features, lengths), tokens)
    for row, length in enumerate(lengths):
        x = features[row, :length].double()
        weights = torch.ones(length, dtype=torch.float64)
        if isinstance(pool, WeightedPool):
            weights = pool.log_weight.double().exp()[tokens[row, :length]]
        expected = {
            "sqrt": x.sum(0) / length**0.5,
            "mean": x.mean(0),
            "class": x[0],
            "weighted": (weights[:, None] * x).sum(0) / weights.sum(),
        }[kind]
        torch.testing.assert_close(found[row].double(), expected, atol=1e-6, rtol=1e-5)
    features[1, 2:], features[2, 1:] = 1e4, -1e4
    torch.testing.assert_close(pool(encoded(features, lengths), tokens), found)


def test_a_sentence_without_tokens_is_zero() -> None:
    features, tokens = torch.randn(2, 3, 4), torch.randint(0, 9, (2, 3))
    for kind in ("sqrt", "mean", "weighted"):
        found = pool_module(kind, 9)(encoded(features, [0, 3]), tokens)
        assert torch.equal(found[0], torch.zeros(4))
        assert found[1].norm() > 0


def test_rare_tokens_start_heavy() -> None:
    pool = WeightedPool(3)
    assert pool.weight.tolist() == [1.0, 1.0, 1.0]
    pool.start(torch.tensor([0.5, 0.001, 0.0]))
    torch.testing.assert_close(pool.weight, torch.tensor([0.001 / 0.501, 0.5, 1.0]))
