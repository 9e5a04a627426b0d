"""Dropout (Srivastava et al. 2014) and stochastic depth, with random bits drawn many at a time on the CPU."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# integer type of the same width, and the bits of 1.0
_ONE = {
    torch.bfloat16: (torch.int16, 0x3F80),
    torch.float16: (torch.int16, 0x3C00),
    torch.float32: (torch.int32, 0x3F800000),
}


def keep(like: Tensor, p: float) -> Tensor:
    """Ones and zeros of `like`'s shape and dtype, each zero with probability `p` (to the nearest 2^-16).

    PyTorch's CPU dropout spends one draw of its generator on every element, a tenth of a training step. Here one
    64-bit draw gives 4 bf16 or 2 fp32 elements, compared with a threshold as integers and turned into 0.0 or 1.0 by
    writing the bits of 1.0. It takes its bits from PyTorch's default generator, so seeds and exact resume hold.
    """
    if like.device.type != "cpu" or like.dtype not in _ONE:
        return torch.empty_like(like).bernoulli_(1 - p)
    integers, one = _ONE[like.dtype]
    per_draw = 8 // like.element_size()
    draws = torch.empty(-(-like.numel() // per_draw), dtype=torch.int64)
    draws.random_(-(2**63), None)
    bits = draws.view(integers)[: like.numel()]
    half_range = torch.iinfo(integers).max + 1
    bits.ge_(round(2 * half_range * p) - half_range).mul_(one)
    return bits.view(like.dtype).view(like.shape)


def dropout(x: Tensor, p: float) -> Tensor:
    """Zero each element with probability `p` and scale the others by ``1 / (1 - p)``; nothing where `p` is 0."""
    if p == 0:
        return x
    if x.device.type != "cpu":
        return F.dropout(x, p, training=True)
    return x * keep(x, p).mul_(1 / (1 - p))


class Dropout(nn.Module):
    """`dropout` in training, the identity in evaluation."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = _probability(p)

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.p) if self.training else x

    def extra_repr(self) -> str:
        return f"p={self.p}"


class DropoutAdd(Dropout):
    """``x + dropout(y)``: the residual sum of a sublayer, in one pass on the CPU."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        if not self.training or self.p == 0:
            return x + y
        if y.device.type != "cpu":
            return x + F.dropout(y, self.p, training=True)
        return torch.addcmul(x, y, keep(y, self.p), value=1 / (1 - self.p))


class StochasticDepthAdd(DropoutAdd):
    """``x + b / (1 - depth) * dropout(y)``, ``b ~ Bernoulli(1 - depth)`` for each sample of the batch.

    A sample whose ``b`` is 0 skips the sublayer (Huang et al. 2016, "Deep Networks with Stochastic Depth"); the scale
    keeps the mean, so that evaluation is the plain sum.
    """

    def __init__(self, p: float, depth: float) -> None:
        super().__init__(p)
        self.depth = _probability(depth)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        if not self.training:
            return x + y
        kept = keep(y.new_empty(len(y), *[1] * (y.ndim - 1)), self.depth)
        if self.p:
            kept = keep(y, self.p).mul_(kept)
        return torch.addcmul(x, y, kept, value=1 / ((1 - self.p) * (1 - self.depth)))

    def extra_repr(self) -> str:
        return f"p={self.p}, depth={self.depth}"


def residual_sum(dropout: float, stochastic_depth: float) -> DropoutAdd:
    return StochasticDepthAdd(dropout, stochastic_depth) if stochastic_depth else DropoutAdd(dropout)


def _probability(p: float) -> float:
    if not 0 <= p < 1:
        raise ValueError(f"a dropout probability is in [0, 1), not {p}")
    return p
