"""Small translation models with odd sizes, so that swapped axes cannot pass, and random weights everywhere."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from jumok.models.transformer import Transformer, TransformerConfig
from jumok.models.translators import TranslationModel, build, read_config

PAD, BEGIN, END, FIRST = 0, 1, 2, 4  # FIRST: the first token that is a word
VOCAB = 31
SIZES: dict[str, dict[str, Any]] = {
    "transformer": {"dim": 18, "heads": 3, "depth": 2, "hidden": 29},
    "seq2seq": {"dim": 18, "depth": 1},
    "convs2s": {"dim": 18, "depth": 3},
}


def small_config(**overrides: Any) -> TransformerConfig:
    sizes = SIZES["transformer"] | {"dropout": 0.0, "max_len": 128}
    return TransformerConfig(**({"source_vocab": VOCAB, "target_vocab": VOCAB} | sizes | overrides))


def small_model(**overrides: Any) -> Transformer:
    """In evaluation, with every bias and norm moved away from its neutral start."""
    model = Transformer(small_config(**overrides)).eval()
    shake(model)
    return model


def small_translator(architecture: str, **overrides: Any) -> TranslationModel:
    """The same of any family."""
    vocabularies = {"source_vocab": VOCAB, "target_vocab": VOCAB}
    values = vocabularies | SIZES[architecture] | {"dropout": 0.0, "max_len": 128} | overrides
    model = build(read_config(values | {"architecture": architecture}, "the test's config")).eval()
    shake(model)
    return model


def _recurrent(cell: str, decoder: str, **values: Any) -> Callable[..., TranslationModel]:
    return partial(small_translator, "seq2seq", cell=cell, decoder=decoder, **values)


# one of each kind of model that writes: what is a law for one is a law for all
MODELS: dict[str, Callable[..., TranslationModel]] = {
    "transformer": partial(small_translator, "transformer"),
    "summary": _recurrent("tanh", "summary", directions=1, reverse_source=True, depth=2, residual=True),
    "cho": _recurrent("gru", "context", directions=1),
    "bahdanau": _recurrent("gru", "bahdanau", score="additive"),
    "luong": _recurrent("lstm", "luong", score="general", depth=2),
    "luong-unfed": _recurrent("lstm", "luong", score="dot", input_feeding=False, residual=True, depth=2),
    "luong-concat": _recurrent("relu", "luong", score="concat", tied="none"),
    "convs2s": partial(small_translator, "convs2s", positions="learned"),
    "bytenet": partial(small_translator, "convs2s", gate="relu", dilation=2, tied="target"),
}
NEW = [name for name in MODELS if name != "transformer"]


def shake(module: nn.Module, by: float = 0.3) -> None:
    """Biases at zero and norms at one would hide what is wrong with them."""
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * by)


def words(rows: int, length: int, vocab: int = VOCAB) -> Tensor:
    return torch.randint(FIRST, vocab, (rows, length))


def targets(rows: int, length: int, vocab: int = VOCAB) -> Tensor:
    return torch.cat([torch.full((rows, 1), BEGIN), words(rows, length - 1, vocab)], dim=1)


def lengths(rows: int, longest: int, shortest: int = 1) -> Tensor:
    """Random, one of them the longest."""
    some = torch.randint(shortest, longest + 1, (rows,))
    some[torch.randint(rows, ())] = longest
    return some
