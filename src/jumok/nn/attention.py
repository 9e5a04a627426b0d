"""Scaled dot-product and multi-head attention (Vaswani et al. 2017, section 3.2): one class for every use."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from jumok.nn.dropout import dropout as drop
from jumok.nn.kernels import Role, attention_path
from jumok.nn.mask import FULL, Mask
from jumok.nn.position import Rotary


class KeyValue(NamedTuple):
    """Projected keys and values, each ``(B, H, K, D/H)``."""

    keys: Float[Tensor, "B H K D"]
    values: Float[Tensor, "B H K D"]


@runtime_checkable
class Cache(Protocol):
    """What self-attention needs of a decoding state: where the new keys stand, and all keys so far."""

    @property
    def positions(self) -> Int[Tensor, " Q"]: ...

    def extend(self, new: KeyValue) -> tuple[KeyValue, Mask]: ...


class Tap(nn.Module):
    """The place where attention weights ``(B, H, Q, K)`` can be seen, before dropout.

    Returns what it is given. `jumok.insight.record` sets ``sink``; while it is set, its layer computes attention in
    the open (`mix`), because fused kernels never hold the weights.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sink: Callable[[Tensor], None] | None = None

    @property
    def active(self) -> bool:
        return self.sink is not None

    def forward(self, weights: Float[Tensor, "B H Q K"]) -> Float[Tensor, "B H Q K"]:
        if self.sink is not None:
            self.sink(weights)
        return weights


def attend(
    q: Float[Tensor, "B H Q D"],
    k: Float[Tensor, "B H K D"],
    v: Float[Tensor, "B H K V"],
    mask: Mask = FULL,
) -> Float[Tensor, "B H Q V"]:
    """``softmax(q k^T / sqrt(d_k)) v`` on PyTorch's fused kernels; equal to `mix` of the scaled scores."""
    queries, keys = q.shape[2], k.shape[2]
    square_causal = mask.causal and mask.lengths is None and mask.pattern is None and queries == keys
    allowed = None if square_causal else mask.allowed(queries, keys, q.device)
    context = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed, is_causal=square_causal)
    attended = mask.attended(queries, keys)
    return context if attended is None else context.masked_fill(~attended, 0.0)


def mix(
    scores: Float[Tensor, "B H Q K"],
    v: Float[Tensor, "B H K V"],
    mask: Mask = FULL,
    tap: Tap | None = None,
    dropout: float = 0.0,
) -> Float[Tensor, "B H Q V"]:
    """``softmax(scores) v`` in the open, whatever the scores are: dot product (scaled by the caller) or additive."""
    queries, keys = scores.shape[2:]
    bias = mask.bias(queries, keys, scores.dtype, scores.device)
    if bias is not None:
        scores = scores + bias
    weights = scores.softmax(-1)
    attended = mask.attended(queries, keys)
    if attended is not None:
        weights = weights.masked_fill(~attended, 0.0)
    if tap is not None:
        weights = tap(weights)
    return drop(weights, dropout) @ v


class Attention(nn.Module):
    """``Concat(head_1, ..., head_h) W^O``, ``head_i = softmax(q_i k_i^T / sqrt(d_k)) v_i`` (section 3.2.2).

    Built for itself (one fused ``qkv``) or, with `memory_dim`, for a memory (``q`` and a fused ``kv``), whose keys
    and values `project` computes once per source.

    Args:
        dim: width D of the queries and of the output; a multiple of `heads`.
        memory_dim: width of the memory, or None for self-attention.
        dropout: probability of dropping an attention weight in training.
        rotary: rotates queries and keys by their positions (self-attention only).
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        *,
        memory_dim: int | None = None,
        dropout: float = 0.0,
        rotary: Rotary | None = None,
    ) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"dim={dim} is not a multiple of heads={heads}")
        self.heads, self.dropout, self.rotary = heads, dropout, rotary
        self.scale = (dim // heads) ** -0.5
        if memory_dim is None:
            self.qkv = nn.Linear(dim, 3 * dim)
        else:
            self.q, self.kv = nn.Linear(dim, dim), nn.Linear(memory_dim, 2 * dim)
        self.of_memory = memory_dim is not None
        self.out = nn.Linear(dim, dim)
        self.tap = Tap()
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Glorot's uniform for each projection by itself, however many are fused; biases at zero."""
        fused = [(self.q, 1), (self.kv, 2)] if self.of_memory else [(self.qkv, 3)]
        for linear, parts in [*fused, (self.out, 1)]:
            for weight in linear.weight.data.chunk(parts):
                nn.init.xavier_uniform_(weight)
            nn.init.zeros_(linear.bias)

    @torch.no_grad()
    def start_mimetic(self, likeness: float = 0.75) -> None:
        r"""Start as trained self-attention looks (Trockman and Kolter 2023, "Mimetic Initialization", section 4).

        Keys like queries, and outputs against values: :math:`W_K = \rho W_Q + \sqrt{1 - \rho^2} Z`,
        :math:`W_O = -\rho W_V^\top + \sqrt{1 - \rho^2} Z'`, so that each token looks at those like it. The paper
        factors :math:`\alpha Z \pm \beta I` for each head; this is no worse and needs no SVD (docs/log.md).
        """
        if self.of_memory:
            raise ValueError("attention to a memory has no queries and keys of the same tokens to make alike")
        dim, rest = self.out.in_features, (1 - likeness**2) ** 0.5
        q, k, v = self.qkv.weight.chunk(3)
        for first, second, sign, gain in ((q, k, 1, 1.14), (v, self.out.weight.T, -1, 0.72)):
            nn.init.normal_(first, std=gain * dim**-0.5)
            second.copy_(sign * likeness * first + rest * torch.randn_like(first) * (gain * dim**-0.5))

    def project(self, memory: Float[Tensor, "B K M"]) -> KeyValue:
        """Keys and values of a memory: computed once, used by every query and every beam."""
        k, v = self._heads(self.kv(memory), 2)
        return KeyValue(k, v)

    def forward(
        self,
        x: Float[Tensor, "B Q D"],
        keys: KeyValue | None = None,
        *,
        mask: Mask = FULL,
        state: Cache | None = None,
        queries: int | None = None,
    ) -> Float[Tensor, "B R D"]:
        """Attend from `x` to itself, to what `state` has seen and itself, or to the projected memory `keys`.

        With a `state` the mask comes from the state, which alone knows which keys belong to which beam. With
        `queries` only the first so many rows of `x` ask, and only theirs are returned.
        """
        role: Role = "training" if self.training else "encoding" if keys is None and state is None else "decoding"
        projected = self.qkv(x) if keys is None else self.q(x)
        path = attention_path(x.device, projected.dtype, role, x.shape[1] if keys is None else keys.keys.shape[2])
        if keys is not None:
            (q,) = self._heads(projected, 1)
            k, v = keys
        else:
            q, k, v = self._heads(projected, 3, copied=path == "open")
            if self.rotary is not None:
                positions = torch.arange(x.shape[1], device=x.device) if state is None else state.positions
                q, k = self.rotary(torch.stack([q, k]), positions)
            if state is not None:
                (k, v), mask = state.extend(KeyValue(k, v))
        if queries is not None:
            q = q[:, :, :queries]
        dropout = self.dropout if self.training else 0.0
        if self.tap.active or dropout or path == "open":
            tap = self.tap if self.tap.active else None
            context = mix((q * self.scale) @ k.transpose(-2, -1), v, mask, tap, dropout)
        else:
            context = attend(q, k, v, mask)
        output: Tensor = self.out(context.transpose(1, 2).flatten(2))
        return output

    def _heads(
        self, x: Float[Tensor, "B N PD"], parts: int, *, copied: bool = False
    ) -> tuple[Float[Tensor, "B H N D"], ...]:
        """Each part by heads; `copied` in one go, where open products would copy each by itself."""
        heads = x.view(*x.shape[:2], parts, self.heads, -1).permute(2, 0, 3, 1, 4)
        return tuple((heads.contiguous() if copied else heads).unbind(0))
