"""Mixup and CutMix: two images in one, and labels that say how much of each there is."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from jumok.data.image_crop import inside


def mix(
    images: Tensor,
    labels: Tensor,
    classes: int,
    *,
    mixup: float,
    cutmix: float,
    seed: int,
    epoch: int,
    indices: Sequence[int],
) -> tuple[Tensor, Tensor]:
    """Images (B, C, S, S) mixed with others of the batch, and their soft labels (B, classes), rows summing to 1.

    x = l x_i + (1 - l) x_j and y = l y_i + (1 - l) y_j, l ~ Beta(a, a), for each image: Mixup with a = `mixup`
    (Zhang et al. 2018) blends all pixels, CutMix with a = `cutmix` (Yun et al. 2019) pastes a box of area 1 - l. With
    both above 0 each image takes either with equal chance.
    All is drawn from (seed, epoch, indices), and nobody's partner is itself.
    """
    count, size = len(images), images.shape[-1]
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, epoch, *indices])))
    order = random.permutation(count)
    partner = np.empty(count, dtype=np.int64)
    partner[order] = np.roll(order, 1)
    cut = random.random(count) < (cutmix > 0) / ((cutmix > 0) + (mixup > 0))
    # a Beta of 0 is not defined; where it stands, nothing takes it
    kept = np.where(cut, random.beta(cutmix or 1, cutmix or 1, count), random.beta(mixup or 1, mixup or 1, count))

    side = size * np.sqrt(1 - kept[:, None])
    middle = size * random.random((count, 2))
    corners = np.concatenate([middle - side / 2, middle + side / 2], 1)
    boxes = np.clip(np.rint(corners), 0, size).astype(np.int64)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept = np.where(cut, 1 - area / size**2, kept)  # what a clipped box really leaves

    weight = torch.from_numpy(kept).float()
    plane = torch.where(torch.from_numpy(cut)[:, None, None, None], ~inside(boxes, size), weight[:, None, None, None])
    targets = one_hot(labels, classes).float()
    others = torch.from_numpy(partner)
    return torch.lerp(images[others], images, plane), torch.lerp(targets[others], targets, weight[:, None])
