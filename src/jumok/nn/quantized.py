"""Products with 8-bit integers for inference on the CPU: a quarter of the memory traffic, on VNNI twice the speed."""

import copy
import warnings
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jumok.nn.attention import Attention

M = TypeVar("M", bound=nn.Module)


class Int8Linear(nn.Module):
    r"""``y = x W^T + b`` with 8-bit weights and activations, accumulated in 32 bits.

    Weights are scaled by output row, ``W_n ~ s_n Q_n``; activations by input row, ``x_m ~ r_m q_m / 127`` with
    ``r_m = max |x_m|``. A scale of each row, not of the whole batch, is what keeps a sentence's output independent of
    its neighbours (as in Dettmers et al. 2022, LLM.int8(), section 2.1). `dtype` is that of the output.
    """

    def __init__(self, linear: nn.Linear, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.dtype = dtype
        weight = linear.weight.detach().float()
        scales = weight.abs().amax(1).clamp_min(1e-12) / 127
        zeros = torch.zeros(weight.shape[0], dtype=torch.int64)
        with warnings.catch_warnings():  # PyTorch means to replace this way of making integer tensors
            warnings.simplefilter("ignore", UserWarning)
            integers = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
        self.packed = torch.ops.quantized.linear_prepack(integers, None)
        # no buffer: it stays in fp32 whatever the model around it is turned into
        self.bias = torch.zeros(weight.shape[0]) if linear.bias is None else linear.bias.detach().float().clone()

    def forward(self, x: Float[Tensor, "*rows D"]) -> Float[Tensor, "*rows N"]:
        rows = x.float()
        largest = rows.abs().amax(-1, keepdim=True).clamp_min_(1e-12)
        # the zero point 128 makes the unsigned bytes of the kernel symmetric
        y = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(rows / largest, 1 / 127, 128, self.packed)
        return torch.addcmul(self.bias, y, largest, out=y).to(self.dtype)


def supported() -> bool:
    """Whether this build of PyTorch on this processor has the integer kernels."""
    return "x86" in torch.backends.quantized.supported_engines


def quantized(model: M) -> M:
    """A copy of `model` for inference whose linear layers compute in 8 bits.

    Queries, keys and values are bf16, since the products of attention are fastest there; all else between two linear
    layers is fp32, which they read and write.
    """
    # deepcopy takes each linear layer from this memo instead of copying it
    memo: dict[int, object] = {id(m): Int8Linear(m) for m in model.modules() if isinstance(m, nn.Linear)}
    for attention in model.modules():
        if isinstance(attention, Attention):
            projections = (attention.q, attention.kv) if attention.of_memory else (attention.qkv,)
            memo.update({id(linear): Int8Linear(linear, torch.bfloat16) for linear in projections})
    result: M = copy.deepcopy(model, memo)
    return result.float().eval().requires_grad_(False)
