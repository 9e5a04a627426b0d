"""What every task that writes text shares: the loss of its pieces, and which weights decay."""

from typing import Any

import torch
from torch import Tensor, nn

from jumok.nn.image import LearnedGrid
from jumok.nn.loss import smoothed_cross_entropy
from jumok.nn.position import Learned
from jumok.nn.rows import take_rows
from jumok.nn.transformer import block_matrices
from jumok.training.task import Loss


def writing_loss(features: Tensor, output: nn.Linear, labels: Tensor, lengths: Tensor, smoothing: float) -> Loss:
    """Cross-entropy, summed over the real tokens, with `smoothing` (`smoothed_cross_entropy`), and its metrics.

    `features` (B, Q, D) of a forced pass predict `labels` (B, Q), of which each row has `lengths` (B,) real ones.
    """
    # only real tokens reach the vocabulary, the widest product of the model
    real = real_tokens(labels, lengths)
    wanted = labels.flatten()[real]
    chosen = take_rows(features.flatten(0, 1), real)
    entropy = smoothed_cross_entropy(chosen, output.weight, output.bias, wanted, smoothing)
    return Loss(entropy.total, len(wanted), {"nll": entropy.nll, "accuracy": 100 * entropy.correct})


def real_tokens(labels: Tensor, lengths: Tensor) -> Tensor:
    """The places (N,) of the real tokens of `labels` (B, Q), row after row."""
    places = torch.arange(labels.shape[1], device=labels.device)
    return (places < lengths[:, None]).flatten().nonzero()[:, 0]


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """No decay on norms, biases and what is learned of positions and tokens in front; Muon's matrices apart."""
    kept = {id(p) for m in model.modules() if isinstance(m, Learned | LearnedGrid) for p in m.parameters()}
    kept |= {id(p) for name, p in model.named_parameters() if p.ndim <= 1 or name.endswith(".prefix")}
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices = block_matrices(model)
    return [
        {"params": [p for p in trained if p in matrices], "weight_decay": weight_decay, "matrices": True},
        {"params": [p for p in trained if p not in matrices and id(p) not in kept], "weight_decay": weight_decay},
        {"params": [p for p in trained if id(p) in kept], "weight_decay": 0.0},
    ]
