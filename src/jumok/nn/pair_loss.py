"""Losses of pairs of sentence vectors (all of length 1, float32): who belongs to whom, how near, in which relation."""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

_EDGE = 1e-6  # arccos has no gradient at 1
RANK_SCALE = 20.0


def ranking_loss(
    queries: Float[Tensor, "N D"],
    keys: Float[Tensor, "M D"],
    places: Int[Tensor, " N"],
    scale: Tensor | float,
    *,
    margin: float = 0.0,
    blocked: Bool[Tensor, "N M"] | None = None,
) -> Float[Tensor, ""]:
    """``-sum_i log( exp(s (q_i k_p - m)) / (exp(s (q_i k_p - m)) + sum_{j != p} exp(s q_i k_j)) )``, ``p = places[i]``.

    In-batch contrast (Henderson et al. 2017, section 4.3; with temperature ``1 / s``: van den Oord et al. 2018), and
    with a margin ``m`` the additive margin softmax of translation ranking (Yang et al. 2019, eq. 4). `blocked` keys are
    no negatives of a query: they say the same.
    """
    scores = queries @ keys.T
    if margin:
        scores = scores - margin * F.one_hot(places, len(keys)).to(scores)
    scores = scores * scale
    if blocked is not None:
        own = F.one_hot(places, len(keys)).bool()
        scores = scores.masked_fill(blocked & ~own, -math.inf)
    return F.cross_entropy(scores, places, reduction="sum")


def similarity_loss(cosines: Float[Tensor, " N"], grades: Float[Tensor, " N"]) -> Float[Tensor, ""]:
    """``sum_i (cos_i - grade_i)^2``, grades within 0 and 1 (Reimers and Gurevych 2019, section 3: regression)."""
    return (cosines - grades).square().sum()


def angular_loss(cosines: Float[Tensor, " N"], grades: Float[Tensor, " N"]) -> Float[Tensor, ""]:
    """``sum_i (1 - arccos(cos_i) / pi - grade_i)^2``: by the angle (Cer et al. 2018, section 5, eq. 1)."""
    angles = cosines.clamp(_EDGE - 1, 1 - _EDGE).arccos() / math.pi
    return (1 - angles - grades).square().sum()


def order_loss(cosines: Float[Tensor, " N"], grades: Float[Tensor, " N"]) -> Float[Tensor, ""]:
    """``N log(1 + sum_{grade_i > grade_j} exp(s (cos_j - cos_i)))``: only the order counts (Su 2022, CoSENT)."""
    differences = RANK_SCALE * (cosines[None, :] - cosines[:, None])
    wrong = grades[:, None] > grades[None, :]
    flat = differences.masked_fill(~wrong, -math.inf).flatten()
    return len(grades) * torch.logsumexp(torch.cat([flat.new_zeros(1), flat]), 0)


def relation_features(left: Float[Tensor, "N D"], right: Float[Tensor, "N D"]) -> Float[Tensor, "N 4*D"]:
    """``[u; v; |u - v|; u * v]``: what a classifier of pairs sees (Conneau et al. 2017, InferSent, section 3.1)."""
    return torch.cat([left, right, (left - right).abs(), left * right], dim=-1)
