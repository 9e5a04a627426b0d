"""Dropout: its share, its mean, independent draws, off in evaluation, repeatable."""

import pytest
import torch

from jumok.nn.dropout import Dropout, dropout

SHAPE = (317, 331)
N = SHAPE[0] * SHAPE[1]
PROBABILITIES = [0.05, 0.1, 0.3, 0.5, 0.9]


@pytest.mark.parametrize("p", PROBABILITIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_share_of_zeros_is_p_and_the_rest_is_scaled(p: float, dtype: torch.dtype) -> None:
    out = dropout(torch.ones(SHAPE, dtype=dtype), p)
    assert out.shape == SHAPE
    assert out.dtype == dtype
    share = float((out == 0).double().mean())
    assert abs(share - p) < 6 * (p * (1 - p) / N) ** 0.5
    kept = out[out != 0].double()
    assert float(kept.min()) == float(kept.max())
    assert float(kept[0]) == pytest.approx(1 / (1 - p), rel=1e-2)


@pytest.mark.parametrize("p", PROBABILITIES)
def test_the_mean_is_kept(p: float) -> None:
    x = torch.randn(SHAPE) + 1
    out = dropout(x, p)
    spread = float((x.square().mean() * p / (1 - p) / N) ** 0.5)
    assert abs(float(out.double().mean() - x.double().mean())) < 6 * spread


@pytest.mark.parametrize("p", [0.1, 0.5])
@pytest.mark.parametrize("distance", [1, 2, 3, 4, 7, 8, 16, 32, 64, 331, 1024])
def test_neighbours_are_dropped_independently(p: float, distance: int) -> None:
    """Cheap random numbers must not drop in patterns."""
    dropped = (dropout(torch.ones(SHAPE), p) == 0).flatten().double() - p
    correlation = (dropped[distance:] * dropped[:-distance]).mean() / (p * (1 - p))
    assert abs(float(correlation)) < 7 / (N - distance) ** 0.5


def test_two_calls_are_independent() -> None:
    first, second = ((dropout(torch.ones(SHAPE), 0.5) == 0).double() - 0.5 for _ in range(2))
    assert abs(float((first * second).mean() / 0.25)) < 6 / N**0.5


def test_every_place_can_be_dropped_and_kept() -> None:
    for size in (1, 2, 3, 5, 7, 31, 33):
        zeros = torch.stack([dropout(torch.ones(size), 0.5) == 0 for _ in range(80)])
        assert bool(zeros.any(0).all())
        assert not bool(zeros.all(0).any())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_gradient_is_the_mask(dtype: torch.dtype) -> None:
    x = torch.rand(37, 41).to(dtype).add(0.5).requires_grad_()
    out = dropout(x, 0.3)
    upstream = torch.randn(37, 41).to(dtype)
    (gradient,) = torch.autograd.grad(out, x, upstream)
    kept = out.detach() != 0
    scale = (out.detach()[kept].double() / x.detach()[kept].double()).median()
    expected = kept * scale * upstream.double()
    torch.testing.assert_close(gradient.double(), expected, rtol=2e-2 if dtype == torch.bfloat16 else 1e-5, atol=1e-6)


def test_a_seed_repeats_it() -> None:
    x, results = torch.randn(37, 41), []
    for _ in range(2):
        torch.manual_seed(12)
        results.append([dropout(x, 0.3) for _ in range(3)])
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))
    assert not torch.equal(results[0][0], results[0][1])


def test_the_stored_random_state_repeats_it() -> None:
    x = torch.randn(37, 41)
    dropout(x, 0.3)
    state = torch.get_rng_state()
    first = dropout(x, 0.3)
    torch.set_rng_state(state)
    assert torch.equal(dropout(x, 0.3), first)


def test_views_are_dropped_right() -> None:
    x = torch.randn(41, 37).t()
    out = dropout(x, 0.5)
    kept = out != 0
    torch.testing.assert_close(out[kept], 2 * x[kept])
    assert abs(float(kept.double().mean()) - 0.5) < 6 * 0.5 / (37 * 41) ** 0.5


def test_the_input_is_left_alone() -> None:
    x = torch.ones(37, 41)
    dropout(x, 0.5)
    assert torch.equal(x, torch.ones(37, 41))


def test_the_module_is_off_in_evaluation() -> None:
    module, x = Dropout(0.5), torch.randn(37, 41)
    assert torch.equal(module.eval()(x), x)
    assert not torch.equal(module.train()(x), x)


def test_zero_is_the_identity() -> None:
    x = torch.randn(37, 41)
    assert torch.equal(Dropout(0.0).train()(x), x)


@pytest.mark.parametrize("p", [-0.1, 1.0, 2.0])
def test_no_probability_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="dropout"):
        Dropout(p)
