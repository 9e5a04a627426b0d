"""Convolutions over sequences: gated (Gehring et al. 2017, ConvS2S) or dilated (Kalchbrenner et al. 2016, ByteNet)."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from jumok.nn.attention import KeyValue, Tap, mix
from jumok.nn.dropout import DropoutAdd
from jumok.nn.mask import FULL, Mask

Gate = Literal["glu", "relu"]


class TemporalConvolution(nn.Module):
    """``y_t = b + sum_i W_i x_{t + (i - center) * dilation}``, i = 0 ... kernel - 1, zeros beyond the ends.

    Centred in an encoder; `causal` in a decoder, where ``y_t`` sees ``x_{t - (kernel - 1) dilation} ... x_t``.

    ::

        kernel 3, dilation 1     causal, dilation 1     causal, dilation 2
        x  . o o o . .           x  o o o . .           x  o . o . o
        y      ^                 y      ^               y          ^
    """

    def __init__(self, dim: int, out: int, kernel: int, dilation: int = 1, *, causal: bool = False) -> None:
        super().__init__()
        if not causal and kernel % 2 == 0:
            raise ValueError(f"a centred convolution needs an odd kernel, not {kernel}")
        self.window = (kernel - 1) * dilation
        self.causal = causal
        self.conv = nn.Conv1d(dim, out, kernel, dilation=dilation)

    def forward(self, x: Float[Tensor, "B N D"]) -> Float[Tensor, "B N O"]:
        before = self.window if self.causal else self.window // 2
        return self.valid(F.pad(x, (0, 0, before, self.window - before)))

    def valid(self, x: Float[Tensor, "B M D"]) -> Float[Tensor, "B N O"]:
        """Without padding: ``N = M - window`` outputs."""
        y: Tensor = self.conv(x.transpose(1, 2)).transpose(1, 2)
        return y


class ConvolutionBlock(nn.Module):
    """``x + dropout(gate(conv(LayerNorm(x))))``: a gated linear unit ``a * sigmoid(b)`` (Dauphin 2017), or ReLU.

    ConvS2S normalises weights and scales sums by sqrt(0.5); like ByteNet, this normalises the layer's input, which
    trains without scales chosen by hand.
    """

    def __init__(self, dim: int, kernel: int, dilation: int, *, gate: Gate, causal: bool, dropout: float) -> None:
        super().__init__()
        self.norm, self.add, self.gate = nn.LayerNorm(dim), DropoutAdd(dropout), gate
        self.convolution = TemporalConvolution(dim, 2 * dim if gate == "glu" else dim, kernel, dilation, causal=causal)

    @property
    def window(self) -> int:
        """How many inputs before its own an output of a causal block sees."""
        return self.convolution.window

    def forward(self, x: Float[Tensor, "B N D"], mask: Mask = FULL) -> Float[Tensor, "B N D"]:
        """All positions at once; padded positions count as the zeros beyond the end."""
        y = self.norm(x)
        real = mask.allowed(1, x.shape[1], x.device)
        if real is not None:
            y = y.masked_fill(~real[:, 0, 0, :, None], 0.0)
        return self.add(x, self._gated(self.convolution(y)))  # type: ignore[no-any-return]

    def step(
        self, x: Float[Tensor, "B N D"], before: Float[Tensor, "B window D"]
    ) -> tuple[Float[Tensor, "B N D"], Float[Tensor, "B window D"]]:
        """The next positions, given the normalised inputs `before` them; also what comes before the ones after."""
        seen = torch.cat([before, self.norm(x)], dim=1)
        y: Tensor = self.add(x, self._gated(self.convolution.valid(seen)))
        return y, seen[:, seen.shape[1] - self.window :]

    def _gated(self, y: Tensor) -> Tensor:
        return F.glu(y, dim=-1) if self.gate == "glu" else F.relu(y)


class MultiStepAttention(nn.Module):
    """One layer's attention of ConvS2S (Gehring et al. 2017, section 3.3), one head.

    ``d_i = W h_i + b + g_i``, ``a_ij = softmax_j(d_i . z_j / sqrt(D))``, ``c_i = sum_j a_ij (z_j + e_j)``: the token
    embedding ``g`` joins the query, the source embedding ``e`` the values; the paper does not scale the scores. The
    context is projected back and added to ``h``.
    """

    def __init__(self, dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm, self.query, self.out = nn.LayerNorm(dim), nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.add, self.tap, self.scale = DropoutAdd(dropout), Tap(), dim**-0.5

    def forward(
        self, h: Float[Tensor, "B Q D"], token: Float[Tensor, "B Q D"], memory: KeyValue, mask: Mask = FULL
    ) -> Float[Tensor, "B Q D"]:
        d = self.query(self.norm(h)) + token
        scores = (d * self.scale)[:, None] @ memory.keys.transpose(-2, -1)
        context = mix(scores, memory.values, mask, self.tap)[:, 0]
        return self.add(h, self.out(context))  # type: ignore[no-any-return]
