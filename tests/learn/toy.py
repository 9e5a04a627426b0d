"""A toy language: a command, then letters; the answer is the letters, or the letters backwards."""

import functools

import torch
from torch import Tensor

from jumok.models.transformer import Transformer, TransformerConfig
from jumok.nn.loss import smoothed_cross_entropy

PAD, BEGIN, END = 0, 1, 2
COPY, REVERSE, FIRST, VOCAB = 4, 5, 6, 14
LONGEST = 5
STEPS, BATCH, PEAK = 400, 64, 6e-3


def draw(rows: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Source, its lengths, target with the begin token, labels with the end token."""
    sizes = torch.randint(1, LONGEST + 1, (rows,))
    letters = torch.randint(FIRST, VOCAB, (rows, LONGEST))
    backwards = torch.rand(rows) < 0.5
    place = torch.arange(LONGEST)
    real = place < sizes[:, None]
    mirrored = letters.gather(1, (sizes[:, None] - 1 - place).clamp(min=0))
    answer = torch.where(backwards[:, None], mirrored, letters) * real
    command = torch.where(backwards, REVERSE, COPY)[:, None]
    target = torch.cat([torch.full((rows, 1), BEGIN), answer], dim=1)
    labels = torch.cat([answer, torch.zeros(rows, 1, dtype=torch.long)], dim=1)
    labels[torch.arange(rows), sizes] = END
    return torch.cat([command, letters * real], dim=1), sizes + 1, target, labels


def answers(labels: Tensor) -> list[list[int]]:
    return [row[: row.index(END)] for row in labels.tolist()]


def train(steps: int = STEPS) -> Transformer:
    sizes = {"dim": 48, "heads": 4, "depth": 1, "hidden": 96}
    config = TransformerConfig(source_vocab=VOCAB, target_vocab=VOCAB, dropout=0.0, norm="pre", **sizes)
    model = Transformer(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, total_steps=steps, pct_start=0.15)
    for _ in range(steps):
        source, lengths, target, labels = draw(BATCH)
        real = labels != PAD
        features = model.features(source, lengths, target)
        loss = smoothed_cross_entropy(features[real], model.output.weight, None, labels[real], 0.1)
        optimizer.zero_grad()
        (loss.total / real.sum()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return model.eval()


@functools.cache
def trained() -> Transformer:
    """One training for all tests of a process; nobody may change it."""
    return train()
