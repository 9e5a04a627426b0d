"""A toy language: a command, then letters; the answer is the letters, or the letters backwards."""

import functools
from typing import Any

import torch
from torch import Tensor

from jumok.models.translators import TranslationModel, build, read_config
from jumok.nn.loss import smoothed_cross_entropy

PAD, BEGIN, END = 0, 1, 2
COPY, REVERSE, FIRST, VOCAB = 4, 5, 6, 14
LONGEST, BATCH = 5, 64

# family of model -> what is set in it, training steps, highest learning rate
LEARNERS: dict[str, tuple[dict[str, Any], int, float]] = {
    "transformer": ({"architecture": "transformer", "heads": 4, "hidden": 96, "norm": "pre"}, 400, 6e-3),
    "summary": ({"architecture": "seq2seq", "cell": "lstm", "decoder": "summary"}, 200, 1.5e-2),
    "cho": ({"architecture": "seq2seq", "cell": "gru", "decoder": "context"}, 150, 1.5e-2),
    "bahdanau": ({"architecture": "seq2seq", "cell": "gru", "decoder": "bahdanau", "score": "additive"}, 140, 1.5e-2),
    "luong": ({"architecture": "seq2seq", "cell": "lstm", "decoder": "luong"}, 160, 1.5e-2),
    "luong-dot": ({"architecture": "seq2seq", "cell": "lstm", "decoder": "luong", "score": "dot"}, 150, 1.5e-2),
    "luong-concat": ({"architecture": "seq2seq", "cell": "lstm", "decoder": "luong", "score": "concat"}, 200, 1.5e-2),
    "tanh": ({"architecture": "seq2seq", "cell": "tanh", "decoder": "bahdanau", "score": "additive"}, 160, 1e-2),
    "convs2s": ({"architecture": "convs2s", "depth": 2}, 150, 8e-3),
    "bytenet": ({"architecture": "convs2s", "depth": 2, "gate": "relu", "dilation": 2}, 150, 8e-3),
}


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


def train(values: dict[str, Any], steps: int, peak: float) -> TranslationModel:
    sizes = {"source_vocab": VOCAB, "target_vocab": VOCAB, "dim": 48, "depth": 1, "dropout": 0.0}
    model = build(read_config(sizes | values, "the toy")).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, total_steps=steps, pct_start=0.15)
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
def trained(name: str = "transformer") -> TranslationModel:
    """One training for all tests of a process, of one seed: what was learnt is not a draw. Nobody may change it."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return train(*LEARNERS[name])
