"""Convolutions: the sum written out, exactly the inputs it may see, and the same whole or piece by piece."""

from typing import Any

import pytest
import torch
from tests.models.small import lengths, shake
from torch import Tensor
from torch.nn import functional as F

from jumok.insight.record import record
from jumok.nn.attention import KeyValue
from jumok.nn.convolution import ConvolutionBlock, Gate, MultiStepAttention, TemporalConvolution
from jumok.nn.mask import Mask

ROWS, STEPS, DIM, OUT = 3, 11, 4, 5
CAUSAL = [(1, 1), (2, 1), (3, 1), (3, 2), (4, 3)]
CENTRED = [(1, 1), (3, 1), (3, 2), (5, 1)]
EVERY = [(*size, True) for size in CAUSAL] + [(*size, False) for size in CENTRED]


def seen(t: int, kernel: int, dilation: int, causal: bool) -> list[int]:
    """The places that ``y_t`` is made of, beyond the ends too: ``t + (i - center) * dilation``."""
    center = kernel - 1 if causal else kernel // 2
    return [t + (i - center) * dilation for i in range(kernel)]


def random_block(**options: Any) -> ConvolutionBlock:
    sizes = {"kernel": 3, "dilation": 1, "gate": "glu", "causal": True, "dropout": 0.0}
    block = ConvolutionBlock(DIM, **(sizes | options)).double()
    shake(block)
    return block


def inputs() -> Tensor:
    return torch.randn(ROWS, STEPS, DIM, dtype=torch.float64)


@pytest.mark.parametrize(("kernel", "dilation", "causal"), EVERY)
@torch.no_grad()
def test_a_convolution_is_its_sum(kernel: int, dilation: int, causal: bool) -> None:
    layer, x = TemporalConvolution(DIM, OUT, kernel, dilation, causal=causal).double(), inputs()
    y = layer(x)
    for t in range(STEPS):
        expected = layer.conv.bias.expand(ROWS, -1)
        for i, place in enumerate(seen(t, kernel, dilation, causal)):
            if 0 <= place < STEPS:
                expected = expected + x[:, place] @ layer.conv.weight[:, :, i].T
        torch.testing.assert_close(y[:, t], expected)


@pytest.mark.parametrize(("kernel", "dilation", "causal"), EVERY)
def test_a_convolution_sees_those_inputs_and_no_others(kernel: int, dilation: int, causal: bool) -> None:
    layer, x = TemporalConvolution(DIM, OUT, kernel, dilation, causal=causal).double(), inputs().requires_grad_()
    y = layer(x)
    for t in range(STEPS):
        (gradient,) = torch.autograd.grad(y[0, t].sum(), x, retain_graph=True)
        touched = gradient[0].any(-1).nonzero()[:, 0].tolist()
        assert touched == [place for place in seen(t, kernel, dilation, causal) if 0 <= place < STEPS]
        assert not gradient[1:].any()


@torch.no_grad()
def test_without_padding_there_are_fewer_outputs() -> None:
    layer, x = TemporalConvolution(DIM, OUT, 3, 2, causal=True).double(), inputs()
    torch.testing.assert_close(layer.valid(x), layer(x)[:, layer.window :])


def test_a_centre_needs_an_odd_kernel() -> None:
    with pytest.raises(ValueError, match="not 4"):
        TemporalConvolution(DIM, OUT, 4)


@pytest.mark.parametrize("gate", ["glu", "relu"])
@pytest.mark.parametrize("causal", [False, True])
@torch.no_grad()
def test_a_block_is_its_formula(gate: Gate, causal: bool) -> None:
    block, x = random_block(gate=gate, causal=causal), inputs()
    y = block.convolution(F.layer_norm(x, (DIM,), block.norm.weight, block.norm.bias))
    gated = y[..., :DIM] / (1 + (-y[..., DIM:]).exp()) if gate == "glu" else y.clamp(min=0)
    torch.testing.assert_close(block(x), x + gated)


@pytest.mark.parametrize(("kernel", "dilation"), CAUSAL)
@pytest.mark.parametrize("gate", ["glu", "relu"])
@torch.no_grad()
def test_piece_by_piece_is_all_at_once(kernel: int, dilation: int, gate: Gate) -> None:
    block, x = random_block(kernel=kernel, dilation=dilation, gate=gate), inputs()
    whole, before = block(x), torch.zeros(ROWS, block.window, DIM, dtype=torch.float64)
    for piece, expected in zip(x.split([1, 3, 1, 2, 4], dim=1), whole.split([1, 3, 1, 2, 4], dim=1), strict=True):
        y, before = block.step(piece, before)
        torch.testing.assert_close(y, expected)
        assert before.shape == (ROWS, block.window, DIM)


@pytest.mark.parametrize("gate", ["glu", "relu"])
@torch.no_grad()
def test_padding_is_the_zeros_beyond_the_end(gate: Gate) -> None:
    block, sizes = random_block(gate=gate, causal=False, dilation=2), lengths(ROWS, STEPS)
    x = inputs()
    y = block(x, Mask(sizes))
    for row, n in enumerate(sizes.tolist()):
        torch.testing.assert_close(y[row, :n], block(x[row : row + 1, :n])[0])


@torch.no_grad()
def test_attention_of_a_layer_is_its_formula() -> None:
    """``d = W h + b + g``; ``a = softmax(d . z / sqrt(D))``; ``c = sum a (z + e)``; the context joins ``h``."""
    layer, sizes = MultiStepAttention(DIM).double(), lengths(ROWS, 6)
    shake(layer)
    h, g = inputs(), inputs()
    z, e = (torch.randn(ROWS, 6, DIM, dtype=torch.float64) for _ in range(2))
    with record(torch.nn.ModuleDict({"cross": layer})) as maps:
        y = layer(h, g, KeyValue(z[:, None], (z + e)[:, None]), Mask(sizes))
    for row, n in enumerate(sizes.tolist()):
        for i in range(STEPS):
            d = layer.query.weight @ layer.norm(h[row, i]) + layer.query.bias + g[row, i]
            a = torch.stack([(d * z[row, j]).sum() / DIM**0.5 for j in range(n)]).softmax(0)
            c = sum(a[j] * (z[row, j] + e[row, j]) for j in range(n))
            torch.testing.assert_close(y[row, i], h[row, i] + layer.out.weight @ c + layer.out.bias)
            torch.testing.assert_close(maps["cross"][row, 0, i, :n], a.float())
