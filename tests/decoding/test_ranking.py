"""The numbers of search, against the plain way to compute them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jumok.decoding.ranking import BLOCK, draw, length_penalty, log_partition, top_tokens


@settings(max_examples=60, deadline=None)
@given(
    vocab=st.integers(1, 700) | st.sampled_from([BLOCK, 8 * BLOCK, 8 * BLOCK + 1, 9 * BLOCK - 1]),
    count=st.integers(1, 24),
    forbidden=st.sampled_from([0.0, 0.5, 0.99, 1.0]),
    seed=st.integers(0, 2**31),
)
def test_top_tokens_is_topk(vocab: int, count: int, forbidden: float, seed: int) -> None:
    torch.manual_seed(seed)
    logits = torch.randn(3, 2, vocab)
    logits[torch.rand(3, 2, vocab) < forbidden] = -torch.inf
    values, tokens = top_tokens(logits, count)
    expected = logits.topk(min(count, vocab), dim=-1)
    assert torch.equal(values, expected.values)
    assert torch.equal(logits.gather(2, tokens), values)
    assert all(len(set(row)) == len(row) for row in tokens.flatten(0, 1).tolist())
    real = values > -torch.inf
    assert torch.equal(tokens[real], expected.indices[real])


@pytest.mark.parametrize("vocab", [63, 64, 200, 1000])
def test_top_tokens_with_many_ties(vocab: int) -> None:
    logits = torch.randint(0, 3, (3, 2, vocab)).bfloat16()
    values, tokens = top_tokens(logits, 7)
    assert torch.equal(values, logits.topk(7).values)
    assert torch.equal(logits.gather(2, tokens), values)
    assert all(len(set(row)) == 7 for row in tokens.flatten(0, 1).tolist())


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 90), beams=st.integers(1, 5), vocab=st.integers(1, 97), seed=st.integers(0, 2**31))
def test_log_partition_is_logsumexp(rows: int, beams: int, vocab: int, seed: int) -> None:
    torch.manual_seed(seed)
    logits = torch.randn(rows, beams, vocab) * 10
    torch.testing.assert_close(log_partition(logits), logits.logsumexp(-1))
    rough = log_partition(logits.bfloat16())
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, logits.bfloat16().float().logsumexp(-1))


def test_length_penalty_on_hand_computed_values() -> None:
    assert length_penalty(1.0, 0.6) == 1.0
    assert length_penalty(7.0, 1.0) == 2.0
    assert length_penalty(19.0, 0.5) == 2.0
    assert length_penalty(30.0, 0.0) == 1.0
    torch.testing.assert_close(length_penalty(torch.tensor([1.0, 7.0]), 2.0), torch.tensor([1.0, 4.0]))


def support(logits: torch.Tensor, temperature: float, top_k: int, top_p: float) -> torch.Tensor:
    """The distribution that is drawn from, by the definitions."""
    p = (logits.double() / temperature).softmax(-1)
    order = p.argsort(descending=True, stable=True).tolist()
    if top_k:
        order = order[:top_k]
    total, kept, mass = sum(float(p[i]) for i in order), [], 0.0
    for i in order:
        if kept and mass >= top_p * total:
            break
        kept.append(i)
        mass += float(p[i])
    out = torch.zeros_like(p)
    out[kept] = p[kept] / mass
    return out


@settings(max_examples=40, deadline=None)
@given(
    vocab=st.integers(1, 23),
    temperature=st.sampled_from([0.3, 1.0, 2.5]),
    top_k=st.integers(0, 9),
    top_p=st.sampled_from([0.123, 0.517, 0.9431, 1.0]),
    seed=st.integers(0, 2**31),
)
def test_a_sweep_of_the_uniform_gives_each_token_its_probability(
    vocab: int, temperature: float, top_k: int, top_p: float, seed: int
) -> None:
    torch.manual_seed(seed)
    logits = torch.randn(vocab) * 2
    steps = 4001
    uniform = (torch.arange(steps) + 0.5) / steps
    tokens = draw(logits.expand(1, steps, vocab), uniform[None], temperature, top_k, top_p)
    shares = torch.bincount(tokens[0], minlength=vocab).double() / steps
    torch.testing.assert_close(shares, support(logits, temperature, top_k, top_p), rtol=0, atol=2 / steps)


def test_the_ends_of_the_uniform_draw_allowed_tokens() -> None:
    logits = torch.randn(1, 500, 11)
    logits[..., [0, 3, 10]] = -torch.inf
    for value in (0.0, 1 - 2**-24):
        tokens = draw(logits, torch.full((1, 500), value), 1.0, 0, 1.0)
        assert not set(tokens[0].tolist()) & {0, 3, 10}


def test_forbidden_tokens_are_never_drawn() -> None:
    logits = torch.randn(1, 3000, 11)
    logits[..., [0, 3, 10]] = -torch.inf
    tokens = draw(logits, torch.rand(1, 3000), 1.7, 0, 0.99)
    assert set(tokens[0].tolist()) <= {1, 2, 4, 5, 6, 7, 8, 9}


def test_a_vanishing_temperature_is_the_best_token() -> None:
    logits = torch.rand(3, 50, 11).argsort(-1).float() / 3  # no two are near each other
    tokens = draw(logits, torch.rand(3, 50), 1e-4, 0, 1.0)
    assert torch.equal(tokens, logits.argmax(-1))
    assert torch.equal(draw(logits, torch.rand(3, 50), 1.0, 1, 1.0), logits.argmax(-1))
