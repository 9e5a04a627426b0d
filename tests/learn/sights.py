"""A toy for the eye: marks of three kinds stand in a line, at random places; the text names them from left to right."""

import functools
from typing import Any

import torch
from torch import Tensor

from jumok.models.image_to_text import ImageToFrames, ImageToText, Model, build
from jumok.models.image_to_text_config import ImageToTextConfig
from jumok.nn.loss import ctc_loss, smoothed_cross_entropy

PAD, BEGIN, END = 0, 1, 2
FIRST, KINDS = 4, 3  # tokens 4, 5 and 6 are the marks
CELL, PLACES, BATCH = 8, 6, 32  # an image has 8 x 48 pixels
_RESNET: dict[str, Any] = {"stem": "small", "widths": (8, 16, 32), "blocks": (1, 1, 1), "depth": 1}
_VIT: dict[str, Any] = {"patch": 8, "depth": 2, "prefix": 0}

# family of model -> what is set in it, training steps, highest learning rate
LEARNERS: dict[str, tuple[dict[str, Any], int, float]] = {
    "show-attend-tell": (
        {"encoder": "resnet", "decoder": "lstm", "stem": "small", "widths": (8, 16, 32), "blocks": (1, 1, 1)},
        400,
        1e-2,
    ),
    "cnn-transformer": ({"encoder": "resnet-transformer", **_RESNET}, 250, 5e-3),
    "vit-transformer": ({"encoder": "vit", **_VIT}, 400, 5e-3),
    "reader": (
        {"encoder": "resnet-transformer", "decoder": "ctc", "tokens": "columns", "strides": ((1, 1), (2, 2), (2, 1))}
        | _RESNET,
        150,
        5e-3,
    ),
}


def draw(rows: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images, places of the marks (B, PLACES) from left to right, their tokens, and how many there are."""
    there = torch.rand(rows, PLACES) < 0.5
    there[torch.arange(rows), torch.randint(PLACES, (rows,))] = True
    kinds = torch.randint(KINDS, (rows, PLACES))
    marks = torch.zeros(KINDS, CELL, CELL)
    marks[0, 2:6, 2:6] = 1  # a block
    marks[1, 3:5] = 1  # a bar
    marks[2].fill_diagonal_(1)  # a slope
    cells = marks[kinds] * there[..., None, None]
    images = cells.permute(0, 2, 1, 3).reshape(rows, 1, CELL, PLACES * CELL) + 0.1 * torch.randn(rows, 1, CELL, 48)
    order = (~there).to(torch.int8).sort(dim=1, stable=True).indices
    lengths = there.sum(1)
    tokens = (FIRST + kinds).gather(1, order) * (torch.arange(PLACES) < lengths[:, None])
    return images, order, tokens, lengths


def forced(tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Target with the begin token, labels with the end token."""
    target = torch.nn.functional.pad(tokens, (1, 0), value=BEGIN)
    labels = torch.nn.functional.pad(tokens, (0, 1))
    labels[torch.arange(len(tokens)), lengths] = END
    return target, labels


def train(values: dict[str, Any], steps: int, peak: float) -> Model:
    sizes: dict[str, Any] = {"vocab_size": FIRST + KINDS, "image_size": (CELL, CELL * PLACES), "channels": 1}
    transformer = values.get("decoder", "transformer") == "transformer"
    sizes |= {"dim": 48, "dropout": 0.0} | ({"decoder_depth": 1} if values.get("decoder") != "ctc" else {})
    sizes |= {"hidden": 96} if transformer or values["encoder"] != "resnet" else {}
    model = build(ImageToTextConfig(**(sizes | values))).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak, betas=(0.9, 0.98), weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, total_steps=steps, pct_start=0.2)
    for _ in range(steps):
        images, _, tokens, lengths = draw(BATCH)
        if isinstance(model, ImageToFrames):
            loss = ctc_loss(model(images), tokens, lengths).total / lengths.sum()
        else:
            target, labels = forced(tokens, lengths)
            real = labels != PAD
            features = model.features(images, target)[real]
            loss = smoothed_cross_entropy(features, model.output.weight, None, labels[real]).total / real.sum()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return model.eval()


@functools.cache
def trained(name: str) -> Model:
    """One training for all tests of a process, of one seed: what was learnt is not a draw. Nobody may change it."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return train(*LEARNERS[name])


def written(model: Model, images: Tensor) -> list[list[int]]:
    """The tokens that `model` writes, greedily."""
    from tests.decoding.run import run

    from jumok.decoding.ctc import greedy

    with torch.no_grad():
        if isinstance(model, ImageToFrames):
            return [reading.tokens for reading in greedy(model(images))]
        assert isinstance(model, ImageToText)
        return [found[0].tokens for found in run(model, [PLACES + 2] * len(images), model.encode(images), beam=1)]


def score(name: str, rows: int = 300) -> float:
    """Images whose text is right, in percent."""
    images, _, tokens, lengths = draw(rows)
    answers = [row[:size] for row, size in zip(tokens.tolist(), lengths.tolist(), strict=True)]
    right = [text == answer for text, answer in zip(written(trained(name), images), answers, strict=True)]
    return 100 * sum(right) / rows
