"""Numbers that search needs of logits: log-partition, the best tokens, a draw, the length penalty."""

import math
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
    """``log sum_v exp(logit_v)`` in fp32, a few rows at a time so that the passes stay in the cache.

    As ``max + ln 2 log2 sum 2^((logit - max) / ln 2)``: on a CPU powers of two take a third of the time of `exp`.
    """
    flat = logits.flatten(0, 1)
    size = ROWS if flat.device.type == "cpu" else flat.shape[0]
    parts = []
    for part in torch.split(flat, size):
        largest = part.amax(-1, keepdim=True).float()
        powers = (part - largest).mul_(1 / math.log(2)).exp2_()
        parts.append(powers.sum(-1).log_().add_(largest[:, 0]))
    return torch.cat(parts).view(logits.shape[:2])


def top_tokens(
    logits: Float[Tensor, "B beams V"], count: int
) -> tuple[Float[Tensor, "B beams n"], Int[Tensor, "B beams n"]]:
    """The `count` largest logits and their tokens, exactly, without sorting the vocabulary.

    The `count` largest elements lie in the `count` blocks with the largest maxima: look for the blocks first.
    """
    vocab = logits.shape[-1]
    number = vocab // BLOCK
    if number <= count:
        return logits.topk(min(count, vocab), dim=-1)
    flat = logits.flatten(0, 1)
    blocks = flat[:, : number * BLOCK].unfold(1, BLOCK, BLOCK)
    chosen = blocks.amax(-1).topk(count, dim=-1, sorted=False).indices
    rows = torch.arange(flat.shape[0], device=flat.device)[:, None]
    inside = blocks[rows, chosen].flatten(1)
    if number * BLOCK < vocab:  # the rest of the vocabulary is one more block, always looked at
        inside = torch.cat([inside, flat[:, number * BLOCK :]], 1)
        chosen = torch.nn.functional.pad(chosen, (0, 1), value=number)
    best, place = inside.topk(count, dim=-1)
    tokens = chosen.gather(1, place // BLOCK) * BLOCK + place % BLOCK
    return best.view(*logits.shape[:2], count), tokens.view(*logits.shape[:2], count)


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
