"""Numbers that search needs of logits: log-partition, the best tokens, a draw, the length penalty."""

from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

N = TypeVar("N", float, Tensor)
BLOCK = 64
ROWS = 64  # 64 rows of 8,000 fp32 logits stay in a core's cache


def length_penalty(length: N, alpha: float) -> N:
    """``lp(Y) = ((5 + |Y|) / 6)^alpha``; |Y| counts the end token (Wu et al. 2016, equation 14)."""
    penalty: N = ((5.0 + length) / 6.0) ** alpha
    return penalty


def log_partition(logits: Float[Tensor, "B beams V"]) -> Float[Tensor, "B beams"]:
    """``log sum_v exp(logit_v)`` in fp32, a few rows at a time so that the passes stay in the cache."""
    flat = logits.flatten(0, 1)
    size = ROWS if flat.device.type == "cpu" else flat.shape[0]
    parts = [part.float().logsumexp(-1) for part in torch.split(flat, size)]
    return torch.cat(parts).view(logits.shape[:2])


def top_tokens(
    logits: Float[Tensor, "B beams V"], count: int
) -> tuple[Float[Tensor, "B beams n"], Int[Tensor, "B beams n"]]:
    """The `count` largest logits and their tokens, exactly, without sorting the vocabulary.

    The `count` largest elements lie in the `count` blocks with the largest maxima: look for the blocks first.
    """
    vocab = logits.shape[-1]
    whole = vocab // BLOCK * BLOCK
    if whole // BLOCK <= count:
        return logits.topk(min(count, vocab), dim=-1)
    blocks = logits[..., :whole].reshape(*logits.shape[:2], -1, BLOCK)
    chosen = blocks.amax(-1).topk(count, dim=-1, sorted=False).indices
    inside = blocks.gather(2, chosen[..., None].expand(-1, -1, -1, BLOCK)).flatten(2)
    tokens = (chosen[..., None] * BLOCK + torch.arange(BLOCK, device=logits.device)).flatten(2)
    if whole < vocab:
        rest = torch.arange(whole, vocab, device=logits.device).expand(*logits.shape[:2], -1)
        inside, tokens = torch.cat([inside, logits[..., whole:]], -1), torch.cat([tokens, rest], -1)
    best = inside.topk(count, dim=-1)
    return best.values, tokens.gather(2, best.indices)


def draw(
    logits: Float[Tensor, "B n V"], uniform: Float[Tensor, "B n"], temperature: float, top_k: int, top_p: float
) -> Int[Tensor, "B n"]:
    """One token a row by inverting the cumulative distribution at `uniform`, after temperature, top-k and top-p."""
    ranked, tokens = (logits / temperature).sort(dim=-1, descending=True, stable=True)
    if top_k:
        ranked, tokens = ranked[..., :top_k], tokens[..., :top_k]
    probabilities = ranked.softmax(-1)
    before = probabilities.cumsum(-1) - probabilities
    # the nucleus: the fewest tokens whose probabilities reach top_p, always at least one
    probabilities = probabilities.masked_fill(before >= top_p, 0.0)
    cumulative = probabilities.cumsum(-1)
    place = (cumulative < uniform[..., None] * cumulative[..., -1:]).sum(-1)
    return tokens.gather(-1, place.clamp(max=tokens.shape[-1] - 1)[..., None])[..., 0]
