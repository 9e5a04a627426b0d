"""Where a training image is cut: random resized crops, shifts on a padded canvas; boxes that CutMix and erasing use."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from jumok.data.image_draws import Draws
from jumok.data.image_file import Pixels, centre, resized

Batch = np.ndarray[tuple[int, int, int, int], np.dtype[np.uint8]]
"""(B, S, S, C), 0-255."""
Numbers = np.ndarray[tuple[int, ...], np.dtype[Any]]

TRIES = 10  # shapes drawn for a crop; the last one is clipped if none fits into the image


def centres(images: Sequence[Pixels], size: int) -> Batch:
    """The centre square of each image at `size`: what evaluation sees."""
    batch: Batch = np.stack([centre(pixels, size) for pixels in images])
    return batch


def resized_crops(
    images: Sequence[Pixels], size: int, numbers: Draws, scale: tuple[float, float], ratio: tuple[float, float]
) -> Batch:
    """A random part of each image at `size` (Szegedy et al. 2015, "inception crop").

    Its area is a share in `scale` of the image's, width / height is log-uniform in `ratio`; (B, 2 TRIES + 2) draws.
    """
    boxes = crop_boxes(np.array([pixels.shape[:2] for pixels in images]), numbers, scale, ratio)
    rows = zip(images, boxes.tolist(), strict=True)
    batch: Batch = np.stack([resized(pixels, tuple(box), size) for pixels, box in rows])
    return batch


def crop_boxes(shapes: Numbers, numbers: Draws, scale: tuple[float, float], ratio: tuple[float, float]) -> Numbers:
    """(left, top, right, bottom) of a random resized crop in images of `shapes` (B, 2), height and width; (B, 4)."""
    height, width = (shapes[:, i : i + 1].astype(np.float64) for i in (0, 1))
    area = height * width * (scale[0] + (scale[1] - scale[0]) * numbers[:, :TRIES])
    aspect = _log_uniform(numbers[:, TRIES : 2 * TRIES], ratio)
    wide, high = np.sqrt(area * aspect), np.sqrt(area / aspect)
    fits = (wide <= width) & (high <= height)
    fits[:, -1] = True
    chosen = np.arange(len(shapes)), fits.argmax(1)
    wide, high = np.minimum(wide[chosen], width[:, 0]), np.minimum(high[chosen], height[:, 0])
    left = (width[:, 0] - wide) * numbers[:, 2 * TRIES]
    top = (height[:, 0] - high) * numbers[:, 2 * TRIES + 1]
    return np.stack([left, top, np.minimum(left + wide, width[:, 0]), np.minimum(top + high, height[:, 0])], 1)


def shifted(batch: Batch, most: int, numbers: Draws) -> Batch:
    """Each image moved by up to `most` pixels either way, black where it left; (B, 2) draws."""
    size = batch.shape[1]
    padded = np.pad(batch, ((0, 0), (most, most), (most, most), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))
    top, left = (numbers * (2 * most + 1)).astype(np.int64).T
    moved: Batch = np.moveaxis(windows[np.arange(len(batch)), top, left], 1, -1)
    return moved


def erasing_boxes(size: int, numbers: Draws, area: tuple[float, float], ratio: tuple[float, float]) -> Numbers:
    """(top, left, bottom, right) of a box of a share in `area` of the image, in whole pixels; (B, 4) from (B, 4)."""
    share = area[0] + (area[1] - area[0]) * numbers[:, 0]
    aspect = _log_uniform(numbers[:, 1], ratio)
    high, wide = (
        np.clip(np.rint(size * np.sqrt(value)), 1, size).astype(np.int64) for value in (share * aspect, share / aspect)
    )
    top, left = ((size - side + 1) * numbers[:, i] for side, i in ((high, 2), (wide, 3)))
    top, left = top.astype(np.int64), left.astype(np.int64)
    return np.stack([top, left, top + high, left + wide], 1)


def inside(boxes: Numbers, size: int) -> Tensor:
    """Which pixels are in their image's box (top, left, bottom, right): (B, 1, S, S) of bool."""
    top, left, bottom, right = torch.from_numpy(boxes)[:, :, None].unbind(1)
    places = torch.arange(size)
    rows, columns = (places >= top) & (places < bottom), (places >= left) & (places < right)
    return (rows[:, :, None] & columns[:, None, :])[:, None]


def _log_uniform(numbers: Numbers, ends: tuple[float, float]) -> Numbers:
    low, high = np.log(ends)
    result: Numbers = np.exp(low + (high - low) * numbers)
    return result
