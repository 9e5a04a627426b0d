"""A task of seconds: sequences of unequal length, a small network with dropout, generated data."""

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from jumok.errors import UserError
from jumok.training.run import Run
from jumok.training.task import Loss, Report
from jumok.training.weights import load_weights


@dataclass(frozen=True)
class ToyBatch:
    inputs: Tensor  # (N, 6), the tokens of all samples one after the other
    labels: Tensor  # (N,)
    indices: tuple[int, ...]

    def to(self, device: torch.device) -> "ToyBatch":
        return ToyBatch(self.inputs.to(device), self.labels.to(device), self.indices)


class ToyModel(nn.Module):
    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.hidden = nn.Linear(6, dim)
        self.dropout = nn.Dropout(dropout)
        self.mix = nn.Linear(dim, dim)
        self.again = nn.Linear(dim, dim)
        self.again.weight = self.mix.weight  # tied, as an embedding and an output layer are
        self.output = nn.Linear(dim, 4)

    def features(self, inputs: Tensor) -> Tensor:
        return self.again(self.dropout(torch.relu(self.mix(torch.tanh(self.hidden(inputs))))))


@dataclass
class ToyTask:
    """Labels are a hidden linear map of the inputs; a sample has 1 to 5 tokens."""

    samples: int = 48
    batch: int = 4
    dim: int = 8
    dropout: float = 0.1
    seed: int = 3
    poison: int | None = None  # this sample's inputs are not numbers
    begin: Run | None = None
    matrices: bool = True  # whether Muon may train the weights
    scores: list[float] = field(default_factory=list)  # what validation says instead of the loss
    loaded: list[tuple[int, ...]] = field(default_factory=list)
    validations: int = 0

    def __post_init__(self) -> None:
        draw = torch.Generator().manual_seed(self.seed)
        rule = torch.randn(6, 4, generator=draw)
        self.data = [torch.randn(1 + i * 7 % 5, 6, generator=draw) for i in range(self.samples)]
        self.labels = [(inputs @ rule).argmax(1) for inputs in self.data]

    def precision(self, device_type: str) -> str:
        return "32-true"

    def build(self) -> nn.Module:
        return ToyModel(self.dim, self.dropout)

    def batches(self, epoch: int) -> list[list[int]]:
        order = list(range(self.samples))
        random.Random(f"{self.seed} {epoch}").shuffle(order)
        return [order[at : at + self.batch] for at in range(0, self.samples, self.batch)]

    def load(self, indices: list[int], epoch: int) -> ToyBatch:
        self.loaded.append(tuple(indices))
        inputs = torch.cat([self.data[i] * (torch.nan if i == self.poison else 1.0) for i in indices])
        return ToyBatch(inputs, torch.cat([self.labels[i] for i in indices]), tuple(indices))

    def largest(self) -> list[int]:
        return sorted(range(self.samples), key=lambda i: -len(self.data[i]))[: self.batch]

    def loss(self, model: nn.Module, batch: ToyBatch) -> Loss:
        assert isinstance(model, ToyModel)
        logits = model.output(model.features(batch.inputs))  # weights used outside of a forward, as the core does
        total = nn.functional.cross_entropy(logits, batch.labels, reduction="sum")
        return Loss(total, float(len(batch.labels)), {"accuracy": 100.0 * (logits.argmax(1) == batch.labels).sum()})

    def validate(self, model: nn.Module, report: Report) -> dict[str, float]:
        assert isinstance(model, ToyModel)
        assert not model.training
        assert not torch.is_grad_enabled()
        torch.rand(3)  # validation may draw; training must not notice
        report("validating")
        everything = self.load(list(range(self.samples)), 0)
        loss = self.loss(model, everything)
        value = float(loss.total) / float(loss.weight)
        if self.scores:
            value = self.scores[min(self.validations, len(self.scores) - 1)]
        self.validations += 1
        return {"val_loss": value}

    def higher_is_better(self, metric: str) -> bool:
        if metric != "val_loss":
            raise UserError(f"training.metric = {metric}, but this task gives val_loss; choose that")
        return False

    def groups(self, model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
        weights = [p for p in model.parameters() if p.dim() > 1 and p.requires_grad]
        others = [p for p in model.parameters() if p.dim() < 2 and p.requires_grad]
        return [
            {"params": weights, "weight_decay": weight_decay, "matrices": self.matrices},
            {"params": others, "weight_decay": 0.0},
        ]

    def snapshot(self, folder: Path) -> None:
        (folder / "labels.txt").write_text("a\nb\nc\nd\n")

    def describe(self) -> dict[str, Any]:
        return {
            "task": "toy",
            "recipe": {"task": "toy", "seed": self.seed, "dropout": self.dropout, "batch": self.batch},
            "model": {"dim": self.dim},
            "data": {"hash": str(self.samples)},
        }

    def start(self, model: nn.Module) -> None:
        if self.begin is not None:
            load_weights(model, self.begin.weights(), str(self.begin.path))
