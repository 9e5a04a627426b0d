"""Small Transformers with odd sizes, so that swapped axes cannot pass, and random weights everywhere."""

from typing import Any

import torch
from torch import Tensor, nn

from jumok.models.transformer import Transformer, TransformerConfig

PAD, BEGIN, END, FIRST = 0, 1, 2, 4  # FIRST: the first token that is a word
VOCAB = 31


def small_config(**overrides: Any) -> TransformerConfig:
    sizes: dict[str, Any] = {"dim": 18, "heads": 3, "depth": 2, "hidden": 29, "dropout": 0.0, "max_len": 128}
    return TransformerConfig(**({"source_vocab": VOCAB, "target_vocab": VOCAB} | sizes | overrides))


def small_model(**overrides: Any) -> Transformer:
    """In evaluation, with every bias and norm moved away from its neutral start."""
    model = Transformer(small_config(**overrides)).eval()
    shake(model)
    return model


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
