"""Why two sentences are near: what each pair of their tokens adds to the cosine, as `jumok.insight` draws it."""

import numpy as np
import torch
from torch import nn

from jumok.errors import UserError
from jumok.insight.choice import EVERYTHING, Choice
from jumok.insight.pair_viewer import PairView
from jumok.insight.window import Window, windowed_pair
from jumok.metrics.similarity import Vectors, cosines
from jumok.nn.pooling import MeanPool, SqrtPool, WeightedPool
from jumok.tasks.attention_models import check_attention
from jumok.tasks.embed_predict import SentenceEmbedder


def pair_view(
    embedder: SentenceEmbedder,
    first: str,
    second: str,
    *,
    run: str = "the run",
    choice: Choice = EVERYTHING,
    window: Window | None = None,
) -> PairView:
    """Both sentences with the cosine of their vectors, token by token, and the chosen layers' attention in each.

    Where a vector is a sum over tokens, ``v = (sum_i w_i P x_i + b) / |..|``, the cosine is the sum over all pairs of
    tokens of ``w_i P x_i . w_j P y_j / (|..| |..|)``, and what the bias adds. Raises `UserError` for a sentence without
    text, and for a layer, head or token that does not exist; `run` is the encoder's name in the message.
    """
    if not choice.everything:
        check_attention(embedder.model, run)
    if not all(map(embedder.normal, (first, second))):
        raise UserError("a sentence has no text to look at; give two sentences")
    read = [embedder.tokens(text) for text in (first, second)]
    seen = [embedder.looks(tokens) for tokens, _ in read]
    embedded = embedder.embed([first, second])
    vectors = embedded.vectors
    similarity = float(cosines(vectors[:1], vectors[1:])[0])
    parts = [_parts(embedder, tokens, features) for (tokens, _), (features, _) in zip(read, seen, strict=True)]
    contributions, rest = None, 0.0
    if parts[0] is not None and parts[1] is not None:
        contributions = parts[0] @ parts[1].T
        rest = similarity - float(contributions.sum())
    units = [features / np.linalg.norm(features, axis=1, keepdims=True).clip(1e-12) for features, _ in seen]
    config = embedder.model.config
    cut = f" · cut after {config.room} tokens" if embedded.long else ""
    view = PairView(
        texts=(embedder.normal(first), embedder.normal(second)),
        pieces=(read[0][1], read[1][1]),
        similarity=similarity,
        cosines=units[0] @ units[1].T,
        contributions=contributions,
        maps=(seen[0][1], seen[1][1]),
        rest=rest,
        model=f"{config.architecture}, {config.pool} pooling, {config.width} numbers a vector{cut}{choice.noted()}",
        choice=choice,
    )
    view.chosen()  # exists
    return view if window is None else windowed_pair(view, window)


def _parts(embedder: SentenceEmbedder, tokens: list[int], features: Vectors) -> Vectors | None:
    """What each token adds to the sentence's vector of length 1 (N, D); None where the vector is no such sum."""
    model = embedder.model
    if not isinstance(model.head, nn.Identity | nn.Linear):
        return None
    if isinstance(model.pool, WeightedPool):
        weights = model.pool.weight[torch.tensor(tokens)].detach().cpu().double().numpy()
        weights = weights / weights.sum()
    elif isinstance(model.pool, SqrtPool | MeanPool):
        weights = np.full(len(tokens), 1 / len(tokens))
        weights = weights**0.5 if isinstance(model.pool, SqrtPool) else weights
    else:
        return None
    added = features.astype(np.float64) * weights[:, None]
    bias: Vectors | float = 0.0
    if isinstance(model.head, nn.Linear):
        added = added @ model.head.weight.detach().cpu().double().numpy().T
        bias = model.head.bias.detach().cpu().double().numpy()
    length = float(np.linalg.norm(added.sum(0) + bias))
    return (added / max(length, 1e-12)).astype(np.float32)
