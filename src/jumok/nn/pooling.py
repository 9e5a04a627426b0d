"""Many vectors to one: how the features of a sentence's tokens become the vector of the sentence."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from jumok.nn.state import Encoded

PoolKind = Literal["sqrt", "mean", "class", "weighted"]


class SqrtPool(nn.Module):
    """``sum_i x_i / sqrt(n)``: the sum over the words of a sentence, less favourable to long ones (Cer et al. 2018)."""

    def forward(self, encoded: Encoded, tokens: Int[Tensor, "B K"]) -> Float[Tensor, "B D"]:
        real = _real(encoded)
        return (real[:, None] @ encoded.features.float())[:, 0] / real.sum(1, keepdim=True).clamp(min=1).sqrt()


class MeanPool(nn.Module):
    """``sum_i x_i / n`` (Reimers and Gurevych 2019, Sentence-BERT, section 3)."""

    def forward(self, encoded: Encoded, tokens: Int[Tensor, "B K"]) -> Float[Tensor, "B D"]:
        real = _real(encoded)
        return (real[:, None] @ encoded.features.float())[:, 0] / real.sum(1, keepdim=True).clamp(min=1)


class ClassPool(nn.Module):
    """``x_0``: the features of the token in front, which looks at all others (Devlin et al. 2019, BERT)."""

    def forward(self, encoded: Encoded, tokens: Int[Tensor, "B K"]) -> Float[Tensor, "B D"]:
        return encoded.features[:, 0].float()


class WeightedPool(nn.Module):
    """``sum_i w(t_i) x_i / sum_i w(t_i)``, ``w(t) = exp(a_t)``: a learned weight for each token of the vocabulary.

    They start at 1, or by how rare a token is (`start`).
    """

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.log_weight = nn.Parameter(torch.zeros(vocab_size))

    @torch.no_grad()
    def start(self, frequencies: Float[Tensor, " V"], a: float = 1e-3) -> None:
        """``w(t) = a / (a + p(t))`` with the frequency ``p(t)`` (0-1) of each token (Arora et al. 2017, section 3)."""
        self.log_weight.copy_((a / (a + frequencies)).log())

    @property
    def weight(self) -> Float[Tensor, " V"]:
        """The weight of each token, above 0."""
        return self.log_weight.float().exp()

    def forward(self, encoded: Encoded, tokens: Int[Tensor, "B K"]) -> Float[Tensor, "B D"]:
        weights = self.weight[tokens] * _real(encoded)
        # a sentence without tokens has the sum 0, and the vector 0
        total = weights.sum(1, keepdim=True)
        return (weights[:, None] @ encoded.features.float())[:, 0] / total.masked_fill(total == 0, 1)


Pool = SqrtPool | MeanPool | ClassPool | WeightedPool


def pool_module(kind: PoolKind, vocab_size: int) -> Pool:
    if kind == "weighted":
        return WeightedPool(vocab_size)
    plain: dict[str, type[SqrtPool | MeanPool | ClassPool]] = {"sqrt": SqrtPool, "mean": MeanPool, "class": ClassPool}
    return plain[kind]()


def _real(encoded: Encoded) -> Float[Tensor, "B K"]:
    """1 for each real token, 0 for padding."""
    rows, keys = encoded.features.shape[:2]
    allowed = encoded.mask.allowed(1, keys, encoded.features.device)
    if allowed is None:
        return encoded.features.new_ones(rows, keys, dtype=torch.float32)
    return allowed[:, 0, 0].float()
