"""Mixup and CutMix: two images in one, and labels that say how much of each there is. Kornia mixes, chance is ours."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from jumok.data.image_file import MISSING
from jumok.errors import UserError

try:
    from kornia.augmentation import RandomCutMixV2, RandomMixUpV2
    from kornia.constants import DType
except ModuleNotFoundError as error:
    raise UserError(MISSING) from error

_KEYS = ["input", "class"]
_MIXUP = RandomMixUpV2(data_keys=_KEYS)
_CUTMIX = RandomCutMixV2(data_keys=_KEYS, use_correct_lambda=True)


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
    All is drawn from (seed, epoch, indices), and nobody's partner is itself: kornia would draw from torch's state, l
    of Mixup evenly, and boxes that the border never cuts.
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
    boxes = np.clip(np.rint(corners), 0, size)
    others = torch.from_numpy(partner)
    blended, blended_parts = _MIXUP(
        images, labels, params=_given(images, mixup_pairs=others, mixup_lambdas=torch.from_numpy(1 - kept).float())
    )
    pasted, pasted_parts = _CUTMIX(
        images, labels, params=_given(images, mix_pairs=others[None], crop_src=_outlines(boxes)[None])
    )
    chosen = torch.from_numpy(cut)
    # (B, 3): the image's label, its partner's, and how much there is of the partner, but CutMix: of the image
    share = torch.where(chosen, 1 - pasted_parts[0, :, 2], blended_parts[:, 2])
    own, other = (one_hot(part.long(), classes).float() for part in blended_parts[:, :2].unbind(1))
    soft = torch.lerp(own, other, share[:, None])
    return torch.where(chosen[:, None, None, None], pasted, blended), soft


def _given(images: Tensor, **drawn: Tensor) -> dict[str, Tensor]:
    """What kornia would have drawn for these images."""
    return drawn | {
        "batch_prob": torch.ones(len(images)),
        "image_shape": torch.tensor(images.shape[-2:]),
        "dtype": torch.tensor(DType.get(images.dtype).value),
    }


def _outlines(boxes: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Tensor:
    """Boxes (B, 4), (top, left, bottom, right), as kornia has them: corners (B, 4, 2) of the last pixels inside."""
    top, left, bottom, right = torch.from_numpy(boxes).float().unbind(1)
    right, bottom = right - 1, bottom - 1
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    return torch.stack([torch.stack(corner, 1) for corner in corners], 1)
