"""Additive and multiplicative attention: each score written out, weights over what is real and nothing else."""

from typing import Any

import pytest
import torch
from tests.models.small import lengths
from tests.nn import by_hand
from torch import Tensor, nn

from jumok.insight.record import record
from jumok.nn.alignment import Additive, Multiplicative, Score, alignment
from jumok.nn.mask import Mask

SCORES: list[Score] = ["additive", "dot", "general", "concat"]
ROWS, QUERIES, KEYS, DIM = 4, 3, 6, 5


def random_attention(score: Score, memory_dim: int | None = None) -> tuple[Additive | Multiplicative, int]:
    memory = memory_dim or (DIM if score == "dot" else DIM + 2)
    return alignment(score, DIM, memory).double(), memory


def printed_score(score: Score, layer: Any, s: Tensor, h: Tensor) -> Tensor:
    """As the papers print it."""
    if score == "dot":
        return s @ h
    if score == "general":
        return s @ (layer.key.weight @ h)
    if score == "concat":  # v^T tanh(W [s; h])
        both = torch.cat([layer.query.weight, layer.key.weight], dim=1)
        return layer.v @ torch.tanh(both @ torch.cat([s, h]) + layer.key.bias)
    return layer.v @ torch.tanh(layer.query.weight @ s + layer.key.weight @ h + layer.key.bias)


@pytest.mark.parametrize("score", SCORES)
@torch.no_grad()
def test_context_and_weights_are_the_formula(score: Score) -> None:
    layer, width = random_attention(score)
    states = torch.randn(ROWS, QUERIES, DIM, dtype=torch.float64)
    memory, sizes = torch.randn(ROWS, KEYS, width, dtype=torch.float64), lengths(ROWS, KEYS)
    with record(nn.ModuleDict({"cross": layer})) as maps:
        contexts = layer(states, layer.project(memory), Mask(sizes))
    assert maps["cross"].shape == (ROWS, 1, QUERIES, KEYS)
    for row, n in enumerate(sizes.tolist()):
        for i in range(QUERIES):
            s = states[row, i]
            weights, context = by_hand.attend(lambda h, s=s: printed_score(score, layer, s, h), memory[row, :n])
            torch.testing.assert_close(contexts[row, i], context)
            torch.testing.assert_close(maps["cross"][row, 0, i, :n], weights.float())


@pytest.mark.parametrize("score", SCORES)
@torch.no_grad()
def test_weights_sum_to_one_over_real_keys(score: Score) -> None:
    layer, width = random_attention(score)
    memory, sizes = torch.randn(ROWS, KEYS, width, dtype=torch.float64), torch.tensor([KEYS, 2, 1, 0])
    memory[3] *= 1e3
    with record(nn.ModuleDict({"cross": layer})) as maps:
        contexts = layer(torch.randn(ROWS, QUERIES, DIM, dtype=torch.float64), layer.project(memory), Mask(sizes))
    weights = maps["cross"]
    torch.testing.assert_close(weights[:3].sum(-1), torch.ones(3, 1, QUERIES))
    real = torch.arange(KEYS) < sizes[:, None]
    assert bool((weights[~real[:, None, None].expand_as(weights)] == 0).all())
    # a single key takes everything; where there is none, there is no context
    torch.testing.assert_close(contexts[2], memory[2, :1].expand(QUERIES, -1))
    assert bool((contexts[3] == 0).all())


@torch.no_grad()
def test_a_query_sees_the_key_it_points_at() -> None:
    layer, _ = random_attention("dot")
    memory = torch.eye(DIM, dtype=torch.float64)[None]
    contexts = layer(100 * memory, layer.project(memory))
    torch.testing.assert_close(contexts, memory)


def test_dot_needs_one_width() -> None:
    with pytest.raises(ValueError, match=r"dim=5 and memory_dim=7.*general"):
        alignment("dot", 5, 7)
    assert not list(alignment("dot", 5, 5).parameters())
