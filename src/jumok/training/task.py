"""What the loop knows about a job: a task turns a model and a batch into a loss."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import torch
from torch import Tensor, nn

from jumok.errors import UserError

Report = Callable[[str], None]
"""Shows one line of text while a task validates, for example ``report("decoded 200 of 1014")``."""


class Batch(Protocol):
    """A collated batch; the loop only moves it to its device."""

    def to(self, device: torch.device) -> Self:
        """The same batch on `device`."""
        ...


@dataclass
class Loss:
    """The loss of one batch, summed, with what it is to be divided by.

    ``total``: sum over tokens (or samples), with gradient; ``weight``: how many they are; ``metrics``: further
    sums, shown divided by the weight. The loop adds totals and weights over accumulation and processes and divides
    once, so a step's gradient does not depend on how its batches were spread.
    """

    total: Tensor
    weight: Tensor | float
    metrics: Mapping[str, Tensor | float] = field(default_factory=dict)


B = TypeVar("B", bound=Batch)


class Task(Protocol[B]):
    """One job: data, model, loss, scores. `jumok.training.loop.train` knows nothing else."""

    def precision(self, device_type: str) -> str:
        """``"bf16-mixed"`` or ``"32-true"``: what ``precision: auto`` means for this model on ``cpu`` or ``cuda``."""
        ...

    def build(self) -> nn.Module:
        """A fresh model; the loop seeds torch before it calls this."""
        ...

    def batches(self, epoch: int) -> Sequence[list[int]]:
        """The batches of an epoch as sample indices: a pure function of the task's seed and `epoch`."""
        ...

    def load(self, indices: list[int], epoch: int) -> B:
        """Those samples collated: a pure function too (what is drawn is seeded by seed, epoch and index).

        It may be called in another process, ahead of its turn.
        """
        ...

    def largest(self) -> list[int]:
        """The batch that needs most memory, tried before training."""
        ...

    def loss(self, model: nn.Module, batch: B) -> Loss:
        """The summed loss of `batch`; called once a batch, under autocast where the precision asks for it.

        `model` is what `build` returned, never wrapped, so any of its methods may be called.
        """
        ...

    def validate(self, model: nn.Module, report: Report) -> dict[str, float]:
        """Scores on the validation data, for example ``{"val_loss": 2.1, "bleu": 31.0}``.

        Called in the first process alone, without gradient, with the model in evaluation mode.
        """
        ...

    def higher_is_better(self, metric: str) -> bool:
        """Whether a larger `metric` is better. Raises `UserError`, naming the choices, if `validate` lacks it."""
        ...

    def groups(self, model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
        """Parameter groups: no decay on norms, biases, positions.

        ``scale`` multiplies a group's rate; ``matrices`` marks what Muon may train (`block_matrices`).
        """
        ...

    def snapshot(self, folder: Path) -> None:
        """Write what inference needs beside the weights (tokenizer, labels) into the run directory."""
        ...

    def describe(self) -> dict[str, Any]:
        """JSON for ``config.json``: ``task`` (name), ``recipe`` (all options), ``model`` (sizes), ``data`` (hashes)."""
        ...

    def start(self, model: nn.Module) -> None:
        """Put the weights that ``from`` names into a fresh model; without ``from`` there is nothing to do.

        Raises `UserError` if they do not fit.
        """
        ...


def known_score(metric: str, scores: Mapping[str, bool]) -> bool:
    """Whether a larger `metric` is better, as `scores` say of each. Raises `UserError`, naming them, if it is none."""
    if metric not in scores:
        raise UserError(f"training.metric = {metric} is not a score of this task; choose one of {', '.join(scores)}")
    return scores[metric]
