"""Weights averaged over time: the moving average, and the mean of saved weights."""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn


class MovingAverage:
    r"""An exponential moving average of a model's weights, itself a model (`.model`).

    After step :math:`t`: :math:`\bar\theta \leftarrow d_t \bar\theta + (1 - d_t)\,\theta` with
    :math:`d_t = \min(d, (1 + t) / (10 + t))`, so that the first, random weights are soon forgotten. The statistics of
    batch norms move with them: those of the last weights would not fit the averaged ones.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval()
        self.decay = decay
        self._average = _moving(self.model)

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards `model` after its step number `step`, counted from 1."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._average, _moving(model), 1 - decay)
        for mine, theirs in zip(self.model.buffers(), model.buffers(), strict=True):
            if not mine.is_floating_point():
                mine.copy_(theirs)


def _moving(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *(buffer for buffer in model.buffers() if buffer.is_floating_point())]


def mean(members: Iterable[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of sets of weights, added up in double precision; tensors that are not floating are the last ones."""
    total: dict[str, Tensor] = {}
    last: dict[str, Tensor] = {}
    count = 0
    for last in members:
        count += 1
        for name, tensor in last.items():
            if tensor.is_floating_point():
                wide = tensor.double()
                total[name] = total[name] + wide if name in total else wide
    return {name: (total[name] / count).to(tensor.dtype) if name in total else tensor for name, tensor in last.items()}
