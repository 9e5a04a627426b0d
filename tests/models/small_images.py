"""Small models that write what images show, with odd sizes and random weights everywhere; and their images."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from tests.models.small import VOCAB, lengths, shake, words
from torch import Tensor, nn

from jumok.models.image_to_text import ImageToFrames, ImageToText, Model, build
from jumok.models.image_to_text_config import ImageToTextConfig

SIZE, CHANNELS = (12, 18), 2
RESNET: dict[str, Any] = {"widths": (6, 10), "blocks": (1, 2)}
BLOCKS: dict[str, Any] = {"heads": 5, "hidden": 29}
VIT: dict[str, Any] = BLOCKS | {"depth": 2, "patch": 6}


def small_config(**values: Any) -> ImageToTextConfig:
    sizes: dict[str, Any] = {
        "image_size": SIZE,
        "channels": CHANNELS,
        "vocab_size": VOCAB,
        "max_len": 128,
        "dim": 20,
        "dropout": 0.0,
    }
    return ImageToTextConfig(**(sizes | values))


def small_model(**values: Any) -> Model:
    """In evaluation, with every bias, norm and running statistic moved away from its neutral start."""
    model = build(small_config(**values)).eval()
    shake(model)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None:
            norm.running_mean.normal_(std=0.3)
            norm.running_var.uniform_(0.5, 1.5)
    return model


def small_writer(**values: Any) -> ImageToText:
    model = small_model(**values)
    assert isinstance(model, ImageToText)
    return model


def small_reader(**values: Any) -> ImageToFrames:
    model = small_model(decoder="ctc", **values)
    assert isinstance(model, ImageToFrames)
    return model


def _writer(encoder: str, decoder: str, **values: Any) -> Callable[..., ImageToText]:
    depth = {"decoder_depth": 1 if decoder == "lstm" else 2}
    return partial(small_writer, encoder=encoder, decoder=decoder, **depth, **values)


# one of each encoder, one of each decoder: what is a law for one is a law for all
WRITERS: dict[str, Callable[..., ImageToText]] = {
    "show-attend-tell": _writer("resnet", "lstm", **RESNET),
    "vit-lstm": _writer("vit", "lstm", **VIT),
    "resnet-to-transformer": _writer("resnet", "transformer", tied=False, **BLOCKS, **RESNET),
    "cnn-transformer": _writer("resnet-transformer", "transformer", depth=2, **BLOCKS, **RESNET),
    "columns": _writer(
        "resnet-transformer", "transformer", depth=2, tokens="columns", strides=((2, 2), (3, 1)), **BLOCKS, **RESNET
    ),
    "vit-transformer": _writer("vit", "transformer", **VIT),
    "hybrid": _writer("hybrid", "transformer", positions="sinusoidal", prefix=2, **(VIT | {"patch": 2})),
}
READERS: dict[str, Callable[..., ImageToFrames]] = {
    "resnet": partial(small_reader, encoder="resnet", strides=((2, 1), (1, 2)), **RESNET),
    "cells": partial(small_reader, encoder="resnet-transformer", depth=2, **BLOCKS, **RESNET),
    "columns": partial(
        small_reader,
        encoder="resnet-transformer",
        tokens="columns",
        strides=((2, 2), (2, 1)),
        depth=2,
        **BLOCKS,
        **RESNET,
    ),
    "vit": partial(small_reader, encoder="vit", **VIT),
    "hybrid": partial(small_reader, encoder="hybrid", stem="deep", prefix=0, **(VIT | {"patch": 2})),
}


def images(count: int = 3, height: int = SIZE[0], width: int = SIZE[1]) -> Tensor:
    return torch.randn(count, CHANNELS, height, width)


def inputs(model: nn.Module, rows: int, length: int) -> tuple[Tensor, ...]:
    """What a small model of any kind reads: images, or words and their lengths."""
    return (images(rows),) if isinstance(model, ImageToText) else (words(rows, length), lengths(rows, length))
