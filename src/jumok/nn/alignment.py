"""Attention of the recurrent decoders, one head: additive (Bahdanau 2015) and multiplicative (Luong 2015).

Each scores a decoder state ``s`` against the encoder's annotations ``h_j`` in its own way; from the scores on they are
the Transformer's attention (`jumok.nn.attention.mix`).
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jumok.nn.attention import KeyValue, Tap, mix
from jumok.nn.mask import FULL, Mask

Score = Literal["additive", "dot", "general", "concat"]


class Additive(nn.Module):
    """``score(s, h_j) = v^T tanh(W s + U h_j)`` (Bahdanau et al. 2015, appendix A.1.2).

    Luong's *concat*, ``v^T tanh(W [s; h_j])`` (2015, equation 8), is the same function: W and U are halves of its W.
    """

    def __init__(self, dim: int, memory_dim: int) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(dim, dim, bias=False), nn.Linear(memory_dim, dim)
        self.v = nn.Parameter(torch.empty(dim))
        self.tap = Tap()
        nn.init.uniform_(self.v, -(dim**-0.5), dim**-0.5)

    def project(self, memory: Float[Tensor, "B K M"]) -> KeyValue:
        """``U h_j`` of every annotation, computed once a sentence; the values are the annotations themselves."""
        return KeyValue(self.key(memory)[:, None], memory[:, None])

    def forward(self, states: Float[Tensor, "B Q D"], keys: KeyValue, mask: Mask = FULL) -> Float[Tensor, "B Q M"]:
        """The context ``c = sum_j softmax_j(score(s, h_j)) h_j`` of each state."""
        energies = (self.query(states)[:, None, :, None] + keys.keys[:, :, None]).tanh()  # (B, 1, Q, K, D)
        scores = energies @ self.v.to(energies.dtype)
        return mix(scores, keys.values, mask, self.tap)[:, 0]


class Multiplicative(nn.Module):
    """``score(s, h_j) = s^T h_j`` (*dot*) or ``s^T W h_j`` (*general*) (Luong et al. 2015, equation 8).

    *dot* has no weights and needs states and annotations of one width.
    """

    def __init__(self, dim: int, memory_dim: int, kind: Literal["dot", "general"] = "general") -> None:
        super().__init__()
        if kind == "dot" and dim != memory_dim:
            raise ValueError(f"dot needs one width, not dim={dim} and memory_dim={memory_dim}; use general")
        self.key: nn.Module = nn.Identity() if kind == "dot" else nn.Linear(memory_dim, dim, bias=False)
        self.tap = Tap()

    def project(self, memory: Float[Tensor, "B K M"]) -> KeyValue:
        """``W h_j`` of every annotation, computed once a sentence; the values are the annotations themselves."""
        return KeyValue(self.key(memory)[:, None], memory[:, None])

    def forward(self, states: Float[Tensor, "B Q D"], keys: KeyValue, mask: Mask = FULL) -> Float[Tensor, "B Q M"]:
        """The context ``c = sum_j softmax_j(score(s, h_j)) h_j`` of each state."""
        scores = states[:, None] @ keys.keys.transpose(-2, -1)
        return mix(scores, keys.values, mask, self.tap)[:, 0]


def alignment(score: Score, dim: int, memory_dim: int) -> Additive | Multiplicative:
    """The attention with this score."""
    kinds: dict[Score, Literal["dot", "general"]] = {"dot": "dot", "general": "general"}
    return Multiplicative(dim, memory_dim, kinds[score]) if score in kinds else Additive(dim, memory_dim)
