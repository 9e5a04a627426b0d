"""Products with 8-bit integers for inference on the CPU: a quarter of the memory traffic, on VNNI twice the speed."""

import copy
import warnings
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)


class Int8Linear(nn.Module):
    r"""``y = x W^T + b`` with 8-bit weights and activations, accumulated in 32 bits.

    Weights are scaled by output row, ``W_n ~ s_n Q_n``; activations by input row, ``x_m ~ r_m q_m / 127`` with
    ``r_m = max |x_m|``. A scale of each row, not of the whole batch, is what keeps a sentence's output independent of
    its neighbours (as in Dettmers et al. 2022, LLM.int8(), section 2.1).
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
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
        rows = x.reshape(-1, x.shape[-1])
        largest = rows.abs().amax(1, keepdim=True).float().clamp_min_(1e-12)
        # the zero point 128 makes the unsigned bytes of the kernel symmetric
        y = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(rows / largest, 1 / 127, 128, self.packed)
        return torch.addcmul(self.bias, y, largest, out=y).to(x.dtype).view(*x.shape[:-1], -1)


def supported() -> bool:
    """Whether this build of PyTorch on this processor has the integer kernels."""
    return "x86" in torch.backends.quantized.supported_engines


def quantized(model: M) -> M:
    """A copy of `model` for inference whose linear layers compute in 8 bits, and all between them in bf16."""
    # deepcopy takes each linear layer from this memo instead of copying it
    memo: dict[int, object] = {id(m): Int8Linear(m) for m in model.modules() if isinstance(m, nn.Linear)}
    result: M = copy.deepcopy(model, memo)
    return result.to(torch.bfloat16).eval().requires_grad_(False)
