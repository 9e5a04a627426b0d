"""Losses of what is written: cross-entropy over a large vocabulary, which never holds all logits; and CTC."""

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

BLANK = 0  # of CTC; the padding of texts
ROWS = 1024  # logits of 1,024 x 8,000 in bf16 stay in the last cache; fewer rows add up the weight gradient more often
_NEVER = -1e4  # log p of what is not said; torch's gradient of minus infinity would be no number


class CrossEntropy(NamedTuple):
    """Sums over the tokens: smoothed loss (with gradient), plain negative log-likelihood, correct guesses."""

    total: Float[Tensor, ""]
    nll: Float[Tensor, ""]
    correct: Float[Tensor, ""]


def smoothed_cross_entropy(
    features: Float[Tensor, "N D"],
    weight: Float[Tensor, "V D"],
    bias: Float[Tensor, " V"] | None,
    targets: Int[Tensor, " N"],
    smoothing: float = 0.0,
) -> CrossEntropy:
    """``-sum_v q(v) log p(v)``, ``q = (1 - eps) onehot(target) + eps / V``, ``p = softmax(features W^T + b)``, in nats.

    Label smoothing of Szegedy et al. 2016, eps = 0.1 in Vaswani et al. 2017, section 5.4. Under autocast the products
    run in its dtype. The gradient is formed chunk by chunk with the loss, so memory is `ROWS` rows of logits.
    """
    dtype = features.dtype
    if torch.is_autocast_enabled(features.device.type):
        dtype = torch.get_autocast_dtype(features.device.type)
    sums = _ChunkedCrossEntropy.apply(features, weight, bias, targets, smoothing, dtype)  # type: ignore[no-untyped-call]
    return CrossEntropy(*sums)


class CTC(NamedTuple):
    """Sum over the texts of ``-log p(text)`` in nats (with gradient), and how many texts do not fit their frames."""

    total: Float[Tensor, ""]
    unfit: Int[Tensor, ""]


def ctc_loss(logits: Float[Tensor, "B T V"], targets: Int[Tensor, "B N"], lengths: Int[Tensor, " B"]) -> CTC:
    """``-log sum_pi prod_t p_t(pi_t)`` over all alignments ``pi`` of each text to its T frames (Graves et al. 2006).

    An alignment says each token in one frame or more in a row, with the blank, token 0, in any frame between, and in
    at least one between equal tokens. A text that has no alignment, being too long for T frames, adds nothing, neither
    loss nor gradient. In float32, whatever the precision of `logits`.

    Args:
        targets: tokens, never the blank; what stands after `lengths` is not read.
        lengths: real tokens of each text.
    """
    frames, places = logits.shape[1], torch.arange(targets.shape[1], device=targets.device)
    real = places < lengths[:, None]
    repeats = ((targets[:, 1:] == targets[:, :-1]) & real[:, 1:]).sum(1)
    unfit = lengths + repeats > frames

    # Of V classes a text needs the blank and its own N: column 0, and for each token the one of its first place.
    used = functional.pad(targets.masked_fill(~real, BLANK), (1, 0), value=BLANK)
    columns = (used[:, :, None] == used[:, None, :]).int().argmax(-1)
    log_p = logits.float().log_softmax(-1).gather(2, used[:, None].expand(-1, frames, -1))
    spare = columns != torch.arange(used.shape[1], device=used.device)
    # torch's gradient is that of normalised columns, so what these have together is taken out, and counted apart
    share = log_p.masked_fill(spare[:, None], -math.inf).logsumexp(-1, keepdim=True)
    alone = (log_p - share).masked_fill(spare[:, None], _NEVER)
    sizes = torch.full_like(lengths, frames)
    # a text without an alignment would be infinitely unlikely
    said = functional.ctc_loss(
        alone.transpose(0, 1), columns[:, 1:], sizes, lengths, blank=BLANK, reduction="sum", zero_infinity=True
    )
    return CTC(said - share.masked_fill(unfit[:, None, None], 0.0).sum(), unfit.sum())


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        smoothing: float,
        dtype: torch.dtype,
    ) -> tuple[Tensor, Tensor, Tensor]:
        x, w = features.to(dtype), weight.to(dtype)
        b = None if bias is None else bias.to(dtype)
        uniform = smoothing / weight.shape[0]
        needs_gradient = any(ctx.needs_input_grad[:3])
        grad_x = torch.empty_like(x) if needs_gradient else None
        grad_w = torch.zeros_like(weight) if needs_gradient else None
        grad_b = torch.zeros(weight.shape[0], device=x.device) if needs_gradient and bias is not None else None
        nll = torch.zeros((), dtype=torch.float64, device=x.device)
        correct = torch.zeros((), dtype=torch.float64, device=x.device)
        target_logits = torch.zeros((), dtype=torch.float64, device=x.device)
        for start in range(0, x.shape[0], ROWS):
            part = slice(start, start + ROWS)
            logits = functional.linear(x[part], w, b)
            target = targets[part, None]
            best = logits.max(dim=-1, keepdim=True)
            chosen = logits.gather(1, target).float()
            # softmax accumulates in fp32; log p of the best token is its own logit's share of the whole
            p = torch.softmax(logits, dim=-1)
            log_z = best.values.float() - p.gather(1, best.indices).float().log()
            nll += (log_z - chosen).sum()
            target_logits += chosen.sum()
            correct += (best.indices == target).sum()
            if grad_x is not None and grad_w is not None:
                # d loss / d logits = p - (1 - eps) onehot - eps / V; the last term is of rank one and added below
                q = (chosen - log_z).exp() - (1 - smoothing)
                p.scatter_(1, target, q.to(dtype))
                torch.mm(p, w, out=grad_x[part])
                grad_w += p.T @ x[part]
                if grad_b is not None:
                    grad_b += p.sum(0, dtype=torch.float32)
        # sum_v log p(v) = sum_v logit(v) - V log Z, and the sum of all logits needs no pass over them
        total_logits = x.sum(0, dtype=torch.float64) @ w.sum(0, dtype=torch.float64)
        if b is not None:
            total_logits = total_logits + x.shape[0] * b.sum(dtype=torch.float64)
        sum_log_z = nll + target_logits
        total = (1 - smoothing) * nll + smoothing * sum_log_z - uniform * total_logits
        if grad_x is not None and grad_w is not None and smoothing:
            grad_x -= (uniform * w.sum(0, dtype=torch.float32)).to(dtype)
            grad_w -= uniform * x.sum(0, dtype=torch.float32).to(grad_w.dtype)
            if grad_b is not None:
                grad_b -= uniform * x.shape[0]
        ctx.save_for_backward(grad_x, grad_w, grad_b)
        ctx.dtype = features.dtype
        sums = nll.float(), correct.float()
        ctx.mark_non_differentiable(*sums)
        return total.float(), *sums

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        grad_x, grad_w, grad_b = ctx.saved_tensors
        bias = None if grad_b is None else grad_b * grad
        return grad_x.to(ctx.dtype) * grad.to(ctx.dtype), grad_w * grad, bias, None, None, None
