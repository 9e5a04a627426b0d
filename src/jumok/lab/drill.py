"""Training a small model on drawn examples."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jumok.lab.finding import Table
from jumok.lab.readers import parameters

Draw = Callable[[torch.Generator], tuple[Tensor, Tensor]]
"""A fresh batch: inputs and labels."""


@dataclass(frozen=True)
class Drilled:
    """How a training went: its last loss in nats, the inputs it saw, and whether it diverged (a loss that is none)."""

    loss: float
    steps: int
    tokens: int
    diverged: bool


def drill(
    model: nn.Module,
    draw: Draw,
    *,
    steps: int,
    seed: int,
    learning_rate: float = 3e-3,
    clip: float = 1.0,
    enough: float = 0.0,
) -> Drilled:
    """AdamW with warm-up and a cosine's decay on cross-entropy; stops early below the loss `enough`.

    A model that diverges is not an error: it is a result. It stops there.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    warmup = max(1, steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, 0.5 * (1 + math.cos(math.pi * step / steps)))
    )
    model.train()
    recent, tokens = float("inf"), 0
    for step in range(1, steps + 1):
        inputs, labels = draw(generator)
        tokens += inputs.numel()
        loss = F.cross_entropy(model(inputs), labels)
        value = float(loss.detach())
        if not torch.isfinite(loss):
            model.eval()
            return Drilled(value, step, tokens, diverged=True)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        schedule.step()
        recent = value if step == 1 else 0.9 * recent + 0.1 * value
        if recent < enough:
            break
    model.eval()
    return Drilled(recent, step, tokens, diverged=False)


class Drills:
    """Trains with `drill` and remembers what each model cost and which diverged, for a figure's account of itself."""

    def __init__(self) -> None:
        self.diverged: list[str] = []
        self.sizes: dict[str, int] = {}
        self.drilled: dict[str, list[Drilled]] = {}

    def __call__(self, name: str, model: nn.Module, draw: Draw, *, steps: int, seed: int, **options: float) -> Drilled:
        drilled = drill(model, draw, steps=steps, seed=seed, **options)
        if drilled.diverged:
            self.diverged.append(f"{name}, seed {seed}")
        self.sizes[name] = parameters(model)
        self.drilled.setdefault(name, []).append(drilled)
        return drilled

    def table(self, caption: str) -> Table:
        """Parameters of each model, and the steps and tokens that its trainings took, the fewest and the most."""
        rows = [
            (
                name,
                self.sizes[name],
                len(each),
                sum(one.diverged for one in each),
                _range([one.steps for one in each]),
                _range([one.tokens for one in each]),
            )
            for name, each in self.drilled.items()
        ]
        return Table(["model", "parameters", "trainings", "diverged", "steps", "training tokens"], rows, caption)

    def __str__(self) -> str:
        return f"Trainings that diverged: {'; '.join(self.diverged) or 'none'}."


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} - {high:,}"


@torch.inference_mode()
def accuracy(model: nn.Module, draw: Draw, *, seed: int, batches: int = 4) -> float:
    """Share (0-100) of right answers on examples that no training drew."""
    generator = torch.Generator().manual_seed(2**32 + seed)
    right = total = 0
    for _ in range(batches):
        inputs, labels = draw(generator)
        right += int((model(inputs).argmax(-1) == labels).sum())
        total += len(labels)
    return 100.0 * right / total
