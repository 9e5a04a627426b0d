"""Recurrent cells and attention of one sentence as the papers print them, one gate and one key at a time."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


def gelu(x: Tensor) -> Tensor:
    """``x Phi(x)``, Phi the normal distribution."""
    return torch.tensor([float(v) * 0.5 * (1 + math.erf(float(v) / math.sqrt(2))) for v in x], dtype=x.dtype)


def sigmoid(x: Tensor) -> Tensor:
    return 1 / (1 + (-x).exp())


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": lambda x: x.clamp(min=0),
    "gelu": gelu,
}


def cell_step(cell: str, wx: Tensor, uh: Tensor, state: Sequence[Tensor]) -> list[Tensor]:
    """The state after one step, from ``W x + b`` and ``U h + b'`` with the gates one after another."""
    d = len(state[0])
    if cell == "lstm":
        i, f, o = (sigmoid(wx[at : at + d] + uh[at : at + d]) for at in (0, d, 3 * d))
        candidate = torch.tanh(wx[2 * d : 3 * d] + uh[2 * d : 3 * d])
        c = f * state[1] + i * candidate
        return [o * torch.tanh(c), c]
    if cell == "gru":
        r, z = sigmoid(wx[:d] + uh[:d]), sigmoid(wx[d : 2 * d] + uh[d : 2 * d])
        candidate = torch.tanh(wx[2 * d :] + r * uh[2 * d :])
        return [(1 - z) * candidate + z * state[0]]
    return [ACTIVATIONS[cell](wx + uh)]


def read(
    cell: str, kernel: nn.RNNBase, x: Tensor, state: Sequence[Tensor], suffix: str = ""
) -> tuple[Tensor, list[Tensor]]:
    """Outputs ``(N, D)`` and the last state of one row ``x (N, I)`` in one direction."""
    w, u, b, c = (getattr(kernel, f"{name}_l0{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    outputs, now = [], list(state)
    for vector in x:
        now = cell_step(cell, w @ vector + b, u @ now[0] + c, now)
        outputs.append(now[0])
    return torch.stack(outputs), now


def attend(score: Callable[[Tensor], Tensor], annotations: Tensor) -> tuple[Tensor, Tensor]:
    """Weights ``a_j = exp(score(h_j)) / sum exp`` and the context ``sum_j a_j h_j``."""
    e = torch.stack([score(h) for h in annotations]).exp()
    weights = e / e.sum()
    context = torch.zeros_like(annotations[0])
    for weight, h in zip(weights, annotations, strict=True):
        context = context + weight * h
    return weights, context
