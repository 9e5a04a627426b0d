"""Some rows of a batch, with a gradient that costs one copy."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor


def take_rows(x: Float[Tensor, "N D"], rows: Int[Tensor, " M"]) -> Float[Tensor, "M D"]:
    """``x[rows]`` for `rows` without repetition.

    Plain indexing allows a row to be taken twice, so its gradient has to add element by element; here it is a copy.
    """
    taken: Tensor = _TakeRows.apply(x, rows)  # type: ignore[no-untyped-call]
    return taken


class _TakeRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.count = x.shape[0]
        return x.index_select(0, rows)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        return grad.new_zeros(ctx.count, grad.shape[1]).index_copy_(0, rows, grad), None
