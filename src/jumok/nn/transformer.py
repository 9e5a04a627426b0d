"""Encoder and decoder blocks of the Transformer (Vaswani et al. 2017, section 3.1)."""

from collections.abc import Callable
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from jumok.nn.attention import Attention, Cache, KeyValue
from jumok.nn.dropout import DropoutAdd
from jumok.nn.mask import FULL, Mask
from jumok.nn.position import Rotary

Norm = Literal["post", "pre"]
Activation = Literal["relu", "gelu", "swiglu"]


class FeedForward(nn.Module):
    """``FFN(x) = max(0, x W_1 + b_1) W_2 + b_2`` (section 3.3), at every position; or with GELU for ReLU."""

    def __init__(self, dim: int, hidden: int, activation: Literal["relu", "gelu"] = "relu") -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(dim, hidden), nn.Linear(hidden, dim)
        self.activation: Callable[[Tensor], Tensor] = F.relu if activation == "relu" else F.gelu
        _glorot(self.inner, self.outer)

    def forward(self, x: Float[Tensor, "B Q D"]) -> Float[Tensor, "B Q D"]:
        y: Tensor = self.outer(self.activation(self.inner(x)))
        return y


class SwiGLU(nn.Module):
    """``(Swish(x W) * x V) W_2`` (Shazeer 2020, "GLU Variants Improve Transformer"), W and V fused."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(dim, 2 * hidden), nn.Linear(hidden, dim)
        _glorot(self.inner, self.outer)

    def forward(self, x: Float[Tensor, "B Q D"]) -> Float[Tensor, "B Q D"]:
        gate, value = self.inner(x).chunk(2, dim=-1)
        y: Tensor = self.outer(F.silu(gate) * value)
        return y


def feed_forward(dim: int, hidden: int, activation: Activation) -> FeedForward | SwiGLU:
    return SwiGLU(dim, hidden) if activation == "swiglu" else FeedForward(dim, hidden, activation)


class PostNorm(nn.Module):
    """``LayerNorm(x + Sublayer(x))``: the paper's residual connection (section 3.1), dropout on the sublayer (5.4)."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.add = nn.LayerNorm(dim), DropoutAdd(dropout)

    def forward(self, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        y: Tensor = self.norm(self.add(x, sublayer(x)))
        return y


class PreNorm(nn.Module):
    """``x + Sublayer(LayerNorm(x))``: trains deep stacks without a long warm-up (Xiong et al. 2020)."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.add = nn.LayerNorm(dim), DropoutAdd(dropout)

    def forward(self, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        y: Tensor = self.add(x, sublayer(self.norm(x)))
        return y


def residual(norm: Norm, dim: int, dropout: float) -> PostNorm | PreNorm:
    return PostNorm(dim, dropout) if norm == "post" else PreNorm(dim, dropout)


class EncoderBlock(nn.Module):
    """Self-attention, then feed-forward, each in a residual connection."""

    def __init__(
        self,
        dim: int,
        heads: int,
        hidden: int,
        *,
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        norm: Norm = "post",
        activation: Activation = "relu",
        rotary: Rotary | None = None,
    ) -> None:
        super().__init__()
        self.attention = Attention(dim, heads, dropout=attention_dropout, rotary=rotary)
        self.feed_forward = feed_forward(dim, hidden, activation)
        self.around_attention = residual(norm, dim, dropout)
        self.around_feed_forward = residual(norm, dim, dropout)

    def forward(self, x: Float[Tensor, "B K D"], mask: Mask = FULL) -> Float[Tensor, "B K D"]:
        x = self.around_attention(x, lambda y: self.attention(y, mask=mask))
        x = self.around_feed_forward(x, self.feed_forward)
        return x


class DecoderBlock(nn.Module):
    """Masked self-attention, attention to the memory, feed-forward, each in a residual connection."""

    def __init__(
        self,
        dim: int,
        heads: int,
        hidden: int,
        *,
        memory_dim: int,
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        norm: Norm = "post",
        activation: Activation = "relu",
        rotary: Rotary | None = None,
    ) -> None:
        super().__init__()
        self.attention = Attention(dim, heads, dropout=attention_dropout, rotary=rotary)
        self.cross = Attention(dim, heads, memory_dim=memory_dim, dropout=attention_dropout)
        self.feed_forward = feed_forward(dim, hidden, activation)
        self.around_attention = residual(norm, dim, dropout)
        self.around_cross = residual(norm, dim, dropout)
        self.around_feed_forward = residual(norm, dim, dropout)

    def forward(
        self,
        x: Float[Tensor, "B Q D"],
        memory: KeyValue,
        *,
        mask: Mask = FULL,
        memory_mask: Mask = FULL,
        state: Cache | None = None,
    ) -> Float[Tensor, "B Q D"]:
        x = self.around_attention(x, lambda y: self.attention(y, mask=mask, state=state))
        x = self.around_cross(x, lambda y: self.cross(y, memory, mask=memory_mask))
        x = self.around_feed_forward(x, self.feed_forward)
        return x


def _glorot(*linears: nn.Linear) -> None:
    for linear in linears:
        nn.init.xavier_uniform_(linear.weight)
        nn.init.zeros_(linear.bias)
