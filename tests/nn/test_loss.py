"""The chunked cross-entropy is that of `torch.nn.functional`, in value and every gradient, without all logits."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from jumok.nn import loss as module
from jumok.nn.loss import CrossEntropy, smoothed_cross_entropy

DIM, VOCAB = 13, 53


def case(rows: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    features = torch.randn(rows, DIM).to(dtype).requires_grad_()
    weight = torch.randn(VOCAB, DIM).to(dtype).requires_grad_()
    bias = torch.randn(VOCAB).to(dtype).requires_grad_()
    return features, weight, bias, torch.randint(VOCAB, (rows,))


def expected(
    features: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, smoothing: float
) -> tuple[Tensor, Tensor, Tensor]:
    logits = F.linear(features.double(), weight.double(), None if bias is None else bias.double())
    return (
        F.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="sum"),
        F.cross_entropy(logits, targets, reduction="sum"),
        (logits.argmax(-1) == targets).sum(),
    )


def check(rows: int, smoothing: float, with_bias: bool, scale: float = 1.0) -> None:
    features, weight, bias, targets = case(rows)
    inputs = [features, weight, *([bias] if with_bias else [])]
    ours = smoothed_cross_entropy(features, weight, bias if with_bias else None, targets, smoothing)
    total, nll, correct = expected(features, weight, bias if with_bias else None, targets, smoothing)
    torch.testing.assert_close(ours.total.double(), total, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(ours.nll.double(), nll, rtol=1e-5, atol=1e-4)
    assert int(ours.correct) == int(correct)
    found = torch.autograd.grad(ours.total * scale, inputs)
    for one, other in zip(found, torch.autograd.grad(total * scale, inputs), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=2e-4 * abs(scale))


@pytest.mark.parametrize("rows", [1, 101, module.ROWS, 2 * module.ROWS + 37])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("with_bias", [False, True])
def test_equal_to_torch(rows: int, smoothing: float, with_bias: bool) -> None:
    check(rows, smoothing, with_bias)


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(1, 40),
    smoothing=st.floats(0, 0.9),
    with_bias=st.booleans(),
    scale=st.floats(-3, 3).filter(lambda x: abs(x) > 0.01),
    seed=st.integers(0, 2**31),
)
def test_equal_to_torch_for_any_smoothing_and_upstream_gradient(
    rows: int, smoothing: float, with_bias: bool, scale: float, seed: int
) -> None:
    torch.manual_seed(seed)
    check(rows, smoothing, with_bias, scale)


@settings(max_examples=15, deadline=None)
@given(rows=st.integers(1, 60), chunk=st.integers(1, 70), seed=st.integers(0, 2**31))
def test_chunks_change_nothing(rows: int, chunk: int, seed: int) -> None:
    torch.manual_seed(seed)
    features, weight, bias, targets = case(rows)
    results: list[tuple[Tensor, ...]] = []
    with pytest.MonkeyPatch.context() as patch:
        for size in (rows, chunk):
            patch.setattr(module, "ROWS", size)
            ours = smoothed_cross_entropy(features, weight, bias, targets, 0.1)
            results.append((*ours, *torch.autograd.grad(ours.total, (features, weight, bias))))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-4)


class Largest(TorchDispatchMode):
    """The most elements of any tensor made."""

    numel = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for item in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(item, Tensor):
                self.numel = max(self.numel, item.numel())
        return out


@pytest.mark.parametrize("autocast", [False, True])
def test_all_logits_are_never_there_at_once(autocast: bool) -> None:
    rows = 8 * module.ROWS
    features, weight, bias, targets = case(rows)
    with Largest() as largest, torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        smoothed_cross_entropy(features, weight, bias, targets, 0.1).total.backward()
    assert 0 < largest.numel <= max(module.ROWS * VOCAB, rows * DIM)


def test_bf16_is_close() -> None:
    features, weight, bias, targets = case(module.ROWS + 91)
    total, nll, correct = expected(features, weight, bias, targets, 0.1)
    with torch.autocast("cpu", torch.bfloat16):
        ours = smoothed_cross_entropy(features, weight, bias, targets, 0.1)
    for found, exact in [(ours.total, total), (ours.nll, nll)]:
        assert float(found.detach()) == pytest.approx(float(exact.detach()), rel=1e-2)
    assert abs(int(ours.correct) - int(correct)) <= 0.02 * len(targets)
    found = torch.autograd.grad(ours.total, (features, weight, bias))
    for one, other in zip(found, torch.autograd.grad(total, (features, weight, bias)), strict=True):
        assert one.dtype == torch.float32
        assert float((one - other).norm() / other.norm()) < 0.03


def test_bf16_features_get_bf16_gradients() -> None:
    features, weight, bias, targets = case(77)
    features = features.detach().bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        smoothed_cross_entropy(features, weight, bias, targets, 0.1).total.backward()
    assert features.grad is not None
    assert features.grad.dtype == torch.bfloat16
    assert weight.grad is not None
    assert weight.grad.dtype == torch.float32


def test_sums_of_parts_are_the_whole() -> None:
    """Sums, not means: what accumulation over batches needs."""
    features, weight, bias, targets = case(90)
    whole = smoothed_cross_entropy(features, weight, bias, targets, 0.1)
    parts = [smoothed_cross_entropy(features[p], weight, bias, targets[p], 0.1) for p in (slice(0, 31), slice(31, 90))]
    for one, other, both in zip(*parts, whole, strict=True):
        torch.testing.assert_close(one + other, both, rtol=1e-5, atol=1e-4)


def test_large_logits_stay_finite() -> None:
    features, weight, bias, targets = case(30)
    ours = smoothed_cross_entropy(features * 300, weight, bias, targets, 0.1)
    total, nll, _ = expected(features * 300, weight, bias, targets, 0.1)
    torch.testing.assert_close(ours.total.double(), total, rtol=1e-4, atol=1e-2)
    torch.testing.assert_close(ours.nll.double(), nll, rtol=1e-4, atol=1e-2)
    assert all(bool(g.isfinite().all()) for g in torch.autograd.grad(ours.total, (features, weight, bias)))


def test_without_gradients_the_values_are_the_same() -> None:
    features, weight, bias, targets = case(30)
    with_gradient = smoothed_cross_entropy(features, weight, bias, targets, 0.1)
    with torch.no_grad():
        without: CrossEntropy = smoothed_cross_entropy(features, weight, bias, targets, 0.1)
    for one, other in zip(with_gradient, without, strict=True):
        torch.testing.assert_close(one.detach(), other)
    assert not without.total.requires_grad


def test_only_the_total_has_a_gradient() -> None:
    ours = smoothed_cross_entropy(*case(7), 0.1)
    assert ours.total.requires_grad
    assert not ours.nll.requires_grad
    assert not ours.correct.requires_grad


def test_only_the_wanted_gradients() -> None:
    """Frozen features (or a frozen output layer) are no reason to fail."""
    features, weight, bias, targets = case(23)
    frozen = smoothed_cross_entropy(features.detach(), weight, bias, targets, 0.1)
    total, _, _ = expected(features, weight, bias, targets, 0.1)
    for one, other in zip(
        torch.autograd.grad(frozen.total, (weight, bias)), torch.autograd.grad(total, (weight, bias)), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    frozen = smoothed_cross_entropy(features, weight.detach(), None, targets, 0.1)
    total, _, _ = expected(features, weight, None, targets, 0.1)
    torch.testing.assert_close(
        torch.autograd.grad(frozen.total, features)[0], torch.autograd.grad(total, features)[0], rtol=1e-4, atol=1e-4
    )


def test_no_rows_cost_nothing() -> None:
    features, weight, bias, targets = case(0)
    ours = smoothed_cross_entropy(features, weight, bias, targets, 0.1)
    assert [float(x.detach()) for x in ours] == [0, 0, 0]
    ours.total.backward()
    assert weight.grad is not None
    assert not bool(weight.grad.any())
