"""Encoder and decoder blocks of the Transformer (Vaswani et al. 2017, section 3.1)."""

from collections.abc import Callable, Iterable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from jumok.nn.attention import Attention, Cache, KeyValue
from jumok.nn.dropout import residual_sum
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
    """``LayerNorm(x + Sublayer(x))``: the paper's residual connection (section 3.1), dropout on the sublayer (5.4).

    Where the sublayer returns fewer rows than it is given, the others are dropped.
    """

    def __init__(self, dim: int, dropout: float, stochastic_depth: float = 0.0, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.norm, self.add = nn.LayerNorm(dim, epsilon), residual_sum(dropout, stochastic_depth)

    def forward(self, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        y = sublayer(x)
        z: Tensor = self.norm(self.add(_first(x, y.shape[1]), y))
        return z


class PreNorm(nn.Module):
    """``x + Sublayer(LayerNorm(x))``: trains deep stacks without a long warm-up (Xiong et al. 2020).

    Where the sublayer returns fewer rows than it is given, the others are dropped.
    """

    def __init__(self, dim: int, dropout: float, stochastic_depth: float = 0.0, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.norm, self.add = nn.LayerNorm(dim, epsilon), residual_sum(dropout, stochastic_depth)

    def forward(self, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        y = sublayer(self.norm(x))
        z: Tensor = self.add(_first(x, y.shape[1]), y)
        return z


def residual(
    norm: Norm, dim: int, dropout: float, stochastic_depth: float = 0.0, epsilon: float = 1e-5
) -> PostNorm | PreNorm:
    return (PostNorm if norm == "post" else PreNorm)(dim, dropout, stochastic_depth, epsilon)


class EncoderBlock(nn.Module):
    """Self-attention, then feed-forward, each in a residual connection.

    `stochastic_depth` is the probability that a sample skips a sublayer in training (Huang et al. 2016).
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        hidden: int,
        *,
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        stochastic_depth: float = 0.0,
        norm: Norm = "post",
        norm_epsilon: float = 1e-5,
        activation: Activation = "relu",
        rotary: Rotary | None = None,
    ) -> None:
        super().__init__()
        self.attention = Attention(dim, heads, dropout=attention_dropout, rotary=rotary)
        self.feed_forward = feed_forward(dim, hidden, activation)
        self.around_attention = residual(norm, dim, dropout, stochastic_depth, norm_epsilon)
        self.around_feed_forward = residual(norm, dim, dropout, stochastic_depth, norm_epsilon)

    def forward(
        self, x: Float[Tensor, "B K D"], mask: Mask = FULL, queries: int | None = None
    ) -> Float[Tensor, "B Q D"]:
        """Features of every row, or with `queries` of the first so many alone, which look at every row."""
        x = self.around_attention(x, lambda y: self.attention(y, mask=mask, queries=queries))
        x = self.around_feed_forward(x, self.feed_forward)
        return x


class Encoder(nn.Module):
    """A stack of encoder blocks and the last norm of a pre-norm stack: the one encoder, of text and of images.

    `tokens` makes vectors of what is read; a subclass says in its ``forward`` what that is, and calls `through`.

    With `checkpointing` a training step keeps only what goes from block to block and computes the rest again for the
    gradient (Chen et al. 2016): less memory, a third more time, the same numbers.
    """

    def __init__(
        self, tokens: nn.Module, blocks: Iterable[EncoderBlock], norm: nn.Module, *, checkpointing: bool = False
    ) -> None:
        super().__init__()
        self.tokens, self.blocks, self.norm = tokens, nn.ModuleList(blocks), norm
        self.checkpointing = checkpointing

    def through(self, x: Float[Tensor, "B K D"], mask: Mask = FULL, read: int | None = None) -> Float[Tensor, "B Q D"]:
        """Features of every row; with `read` of the first so many, for which the last block does no other's work."""
        for block in self.blocks:
            assert isinstance(block, EncoderBlock)
            # a layer that is recorded is seen whole
            queries = read if block is self.blocks[-1] and not block.attention.tap.active else None
            again = self.checkpointing and self.training
            x = checkpoint(block, x, mask, queries, use_reentrant=False) if again else block(x, mask, queries)
        x = self.norm(x if read is None else _first(x, read))
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


def block_matrices(model: nn.Module) -> set[Tensor]:
    """The matrices of the Transformer blocks in `model`, without embeddings, patch projections and heads.

    Each turns features of one width into features of another, which is what Muon is for.
    """
    blocks = [module for module in model.modules() if isinstance(module, EncoderBlock | DecoderBlock)]
    return {part.weight for block in blocks for part in block.modules() if isinstance(part, nn.Linear)}


def _first(x: Tensor, rows: int) -> Tensor:
    """``x[:, :rows]``; where that is all of it no slice is made, whose gradient would be one more copy."""
    return x if x.shape[1] == rows else x[:, :rows]


def product_dtype(weight: Tensor) -> torch.dtype:
    """The precision in which a product with `weight` is computed here: the residual stream is kept in it.

    Under autocast sums and norms would stay in float32; in this precision every element-wise pass moves half the bytes.
    """
    kind = weight.device.type
    autocast = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
    return torch.get_autocast_dtype(kind) if autocast else weight.dtype


def _glorot(*linears: nn.Linear) -> None:
    for linear in linears:
        nn.init.xavier_uniform_(linear.weight)
        nn.init.zeros_(linear.bias)
