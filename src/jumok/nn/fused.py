"""Linear layers in bf16 for inference on the CPU: bias and activation are part of the product."""

from typing import Literal, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from jumok.nn.transformer import FeedForward

M = TypeVar("M", bound=nn.Module)
After = Literal["none", "relu", "gelu"]


class FusedLinear(nn.Linear):
    """``y = f(x W^T + b)``, f nothing, ReLU or GELU: one pass of oneDNN over y, rounded once.

    Without gradient, and with the very parameters of `linear`.
    """

    after: After

    @classmethod
    def of(cls, linear: nn.Linear, after: After = "none") -> "FusedLinear":
        made = cls(linear.in_features, linear.out_features, bias=False, device="meta")
        made.weight, made.bias, made.after = linear.weight, linear.bias, after
        return made.train(linear.training)

    def forward(self, x: Float[Tensor, "*rows D"]) -> Float[Tensor, "*rows N"]:
        algorithm = "none" if self.after == "gelu" else ""  # GELU by erf, not by tanh
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, self.after, [], algorithm)
        return y

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, after={self.after}"


def supported(device: torch.device) -> bool:
    """Whether this build of PyTorch on this processor has the bf16 products."""
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def in_bf16(model: M) -> M:
    """`model` itself in bf16, for inference: its linear layers fused where that is `supported`."""
    model = model.to(torch.bfloat16)
    if not supported(next(model.parameters()).device):
        return model
    for module in [*model.modules()]:
        for name, part in module.named_children():
            if type(part) is nn.Linear:
                setattr(module, name, FusedLinear.of(part))
    for module in model.modules():
        if isinstance(module, FeedForward) and isinstance(module.inner, FusedLinear):
            module.inner.after = "relu" if module.activation is F.relu else "gelu"
            module.activation = nn.Identity()
    return model.requires_grad_(False)
