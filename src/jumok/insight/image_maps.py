"""What a ViT's weights say as numbers: class attention, rollout, attention distance, filters, similarity of positions.

Maps are ``(..., Q, K)``, ``Q = K = prefix + h * w``: `prefix` tokens of the model's own (class, distillation), then the
patches row by row, as `Encoded` has them; leading axes (images, heads) are kept. The figures are those of Dosovitskiy
et al. 2021, "An Image is Worth 16x16 Words", figures 6, 7 and 11.
"""

from collections.abc import Sequence

import numpy as np

from jumok.insight import reductions
from jumok.insight.maps import Map, Weights, as_map, without

Grid = tuple[int, int]


def class_attention(weights: Weights, prefix: int, grid: Grid, token: int = 0) -> Map:
    """Weight that a token gave to each patch: ``(..., Q, K)`` -> ``(..., h, w)``.

    The sum is below 1 by what it gave to the tokens of the prefix. Without a prefix the classifier reads the mean of
    all patches, so it is the mean over their rows, and `token` is not looked at.

    Args:
        weights: a layer's map.
        prefix: number of tokens before the patches.
        grid: (h, w) of the patches.
        token: 0 the class token, 1 the distillation token.

    Raises:
        ValueError: the map is not of this prefix and grid.
    """
    maps = _checked(weights, prefix, grid)
    row = maps[..., token, :] if prefix else maps.mean(-2)
    return row[..., prefix:].reshape(*row.shape[:-1], *grid)


def rollout(maps: Sequence[Weights], prefix: int, grid: Grid) -> Map:
    """How much of each patch reaches the classifier through all layers: maps ``(H, Q, K)`` -> ``(h, w)``.

    ``A_l = (mean_h W_l + I) / 2``, ``R = A_L ... A_1``, and the row of the class token (without one, the mean row):
    attention followed from layer to layer, the residual path counted as attention to oneself (Abnar and Zuidema 2020,
    "Quantifying Attention Flow in Transformers", section 3).
    """
    return class_attention(reductions.rollout([_checked(weights, prefix, grid) for weights in maps]), prefix, grid)


def attention_distance(weights: Weights, prefix: int, grid: Grid, patch: int) -> Map:
    """How far from its own patch a head looks, in pixels: ``(..., Q, K)`` -> ``(...)``, one figure a head.

    ``mean_i sum_j w_ij |p_i - p_j|`` over the patches i and j, p their centres: the ViT's counterpart of a receptive
    field (Dosovitskiy et al. 2021, figure 7 right). Tokens of the prefix have no place; they are left out and each row
    is stretched to sum to 1. A patch that looked at these only is left out.

    Args:
        weights: a layer's map.
        prefix: number of tokens before the patches.
        grid: (h, w) of the patches.
        patch: side of a patch in pixels of the model's input.
    """
    maps = without(_checked(weights, prefix, grid), range(prefix))[..., prefix:, prefix:]
    looked = maps.sum((-2, -1))  # rows that looked at any patch, each 1
    walked = (maps * distances(grid, patch)).sum((-2, -1))
    return as_map(np.divide(walked, looked, out=np.zeros_like(walked), where=looked > 0))


def distances(grid: Grid, patch: int) -> Map:
    """Pixels between the centres of any two patches, ``(h * w, h * w)``; its mean is an even look's distance."""
    rows, columns = np.indices(grid).reshape(2, -1) * patch
    return as_map(np.hypot(rows[:, None] - rows, columns[:, None] - columns))


def filters(weight: Weights, count: int) -> Map:
    """The first principal components of a patch projection, ``(D, C, p, p)`` -> ``(count, C, p, p)``.

    Each of the D outputs is a filter as large as a patch; the components, most variance first, are the few patterns
    that these are mixed of (Dosovitskiy et al. 2021, figure 7 left). Each has norm 1 and its largest value positive;
    there are at most ``min(D, C p p)``. A convolution's filters are looked at as they are.
    """
    kernels = as_map(weight)
    flat = kernels.reshape(len(kernels), -1)
    components = np.linalg.svd(flat - flat.mean(0), full_matrices=False)[2][:count]
    most = np.take_along_axis(components, np.abs(components).argmax(1)[:, None], axis=1)
    return as_map(components * np.sign(most)).reshape(-1, *kernels.shape[1:])


def position_similarity(positions: Weights, grid: Grid) -> Map:
    """``cos(e_i, e_j)`` of the patches' position embeddings: ``(N, D)`` -> ``(h, w, h, w)``, -1 to 1.

    ``[r, c]`` is the map of the patch in row r, column c against all others (Dosovitskiy et al. 2021, figure 7 centre).
    Raises `ValueError` if there is not one embedding a patch.
    """
    embeddings = as_map(positions)
    if len(embeddings) != grid[0] * grid[1]:
        raise ValueError(f"{len(embeddings)} positions for {grid[0]} x {grid[1]} patches, without the tokens' own")
    lengths = np.linalg.norm(embeddings, axis=-1, keepdims=True)
    unit = np.divide(embeddings, lengths, out=np.zeros_like(embeddings), where=lengths > 0)
    return as_map(unit @ unit.T).reshape(*grid, *grid)


def _checked(weights: Weights, prefix: int, grid: Grid) -> Map:
    maps = as_map(weights)
    size = prefix + grid[0] * grid[1]
    if maps.ndim < 2 or maps.shape[-2:] != (size, size):
        raise ValueError(f"a map of {maps.shape} for {prefix} tokens and {grid[0]} x {grid[1]} patches: (..., Q, K)")
    return maps
