"""RandAugment and colour jitter on a batch: each image has its own operation, each operation is one call."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from jumok.data.image_draws import Draws
from jumok.data.image_file import MISSING
from jumok.errors import UserError

try:
    from kornia import enhance
    from kornia.color import rgb_to_grayscale
    from kornia.geometry.transform import warp_affine
except ModuleNotFoundError as error:
    raise UserError(MISSING) from error

Operation = Callable[[Tensor, Tensor], Tensor]
"""(images (n, C, S, S) on 0-1, one amount or factor for each (n,)) -> images."""

# what the magnitude 10 means (Cubuk et al. 2020, by way of the TPU code that first published it)
ROTATION = math.radians(30)
SHEAR = 0.3
TRANSLATION = 0.45  # of the image's side
FACTOR = 0.9  # brightness, contrast, saturation, sharpness: times 1 - 0.9 to 1 + 0.9
BITS = 4  # that posterize takes away
GREY = 0.5  # where a moved image leaves nothing


def rand_augment(images: Tensor, numbers: Draws, operations: int, magnitude: float) -> Tensor:
    """RandAugment(N, M) (Cubuk et al. 2020): `operations` of the fourteen, one after another, each at `magnitude` / 10.

    images (B, C, S, S) on 0-1; (B, 2 N) draws choose operation and direction for each image. Alpha is moved, not
    coloured.
    """
    images = images.clone()
    colours = images[:, : colour_channels(images)]
    for layer in range(operations):
        kinds = (numbers[:, 2 * layer] * len(GEOMETRIC + COLOUR)).astype(np.int64)
        directions = np.where(numbers[:, 2 * layer + 1] < 0.5, -1.0, 1.0)
        amounts = torch.from_numpy(directions * magnitude / 10).float()
        for kind in np.unique(kinds).tolist():
            rows = torch.from_numpy(np.flatnonzero(kinds == kind))
            moved = kind < len(GEOMETRIC)
            part = images if moved else colours
            operation = (GEOMETRIC + COLOUR)[kind]
            part[rows] = operation(part[rows], amounts[rows])
    return images


def jitter(images: Tensor, numbers: Draws, brightness: float, contrast: float, saturation: float, hue: float) -> Tensor:
    """Factors of brightness, contrast and saturation in [1 - b, 1 + b], hue turned by up to `hue` of the circle.

    images (B, C, S, S) on 0-1; (B, 4) draws, one for each.
    """
    images = images.clone()
    colours = images[:, : colour_channels(images)]
    either = torch.from_numpy(2 * numbers - 1).float()
    stages: tuple[tuple[float, Operation], ...] = (
        (brightness, enhance.adjust_brightness_accumulative),
        (contrast, contrasted),
        (saturation, saturated),
    )
    for column, (most, operation) in enumerate(stages):
        if most:
            colours.copy_(operation(colours, (1 + most * either[:, column]).clamp(min=0)))
    if hue and colours.shape[1] == 3:
        colours.copy_(enhance.adjust_hue(colours, 2 * math.pi * hue * either[:, 3]))
    return images


def colour_channels(images: Tensor) -> int:
    """3 of RGB and RGBA, 1 of grey with or without alpha."""
    return 3 if images.shape[1] >= 3 else 1


def contrasted(images: Tensor, factors: Tensor) -> Tensor:
    """m + f (x - m), m the mean of the grey image."""
    grey = rgb_to_grayscale(images) if images.shape[1] == 3 else images
    # numpy adds up each image in the same order whatever their number; torch does not
    mean = torch.from_numpy(grey.numpy().reshape(len(grey), -1).mean(1))[:, None, None, None]
    return torch.lerp(mean, images, factors[:, None, None, None]).clamp_(0, 1)


def saturated(images: Tensor, factors: Tensor) -> Tensor:
    """g + f (x - g), g the grey image; grey images stay as they are."""
    return enhance.adjust_saturation_with_gray_subtraction(images, factors)


def sharpened(images: Tensor, factors: Tensor) -> Tensor:
    """b + f (x - b), b blurred by [[1 1 1] [1 5 1] [1 1 1]] / 13; the border stays as it is."""
    # kornia's convolution rounds a single grey image otherwise than several; this sum is the same for both
    inner = images[:, :, 1:-1, 1:-1]
    blurred = (9 * avg_pool2d(images, 3, 1) + 4 * inner) / 13
    result = images.clone()
    result[:, :, 1:-1, 1:-1] = torch.lerp(blurred, inner, factors[:, None, None, None]).clamp_(0, 1)
    return result


def _warped(images: Tensor, linear: Tensor, shift: Tensor) -> Tensor:
    """x -> A (x - centre) + centre + shift, in pixels: A (n, 2, 2), shift (n, 2) as (right, down)."""
    middle = (images.shape[-1] - 1) / 2
    offset = middle - middle * linear.sum(2) + shift
    matrix = torch.cat([linear, offset[:, :, None]], 2)
    return GREY + warp_affine(images - GREY, matrix, (images.shape[-2], images.shape[-1]))


def _rotate(images: Tensor, amounts: Tensor) -> Tensor:
    cos, sin = (ROTATION * amounts).cos(), (ROTATION * amounts).sin()
    linear = torch.stack([cos, -sin, sin, cos], 1).view(-1, 2, 2)
    return _warped(images, linear, torch.zeros(len(images), 2))


def _shear(images: Tensor, amounts: Tensor, axis: int) -> Tensor:
    linear = torch.eye(2).repeat(len(images), 1, 1)
    linear[:, axis, 1 - axis] = SHEAR * amounts
    return _warped(images, linear, torch.zeros(len(images), 2))


def _translate(images: Tensor, amounts: Tensor, axis: int) -> Tensor:
    shift = torch.zeros(len(images), 2)
    shift[:, axis] = TRANSLATION * images.shape[-1] * amounts
    return _warped(images, torch.eye(2).repeat(len(images), 1, 1), shift)


def _autocontrast(images: Tensor, amounts: Tensor) -> Tensor:
    # a channel of one value has no contrast to stretch
    flat = images.amax((2, 3), keepdim=True) == images.amin((2, 3), keepdim=True)
    return torch.where(flat, images, enhance.normalize_min_max(images))


GEOMETRIC: tuple[Operation, ...] = (
    _rotate,
    partial(_shear, axis=0),
    partial(_shear, axis=1),
    partial(_translate, axis=0),
    partial(_translate, axis=1),
)
COLOUR: tuple[Operation, ...] = (
    lambda images, amounts: images,
    _autocontrast,
    lambda images, amounts: enhance.equalize(images),
    lambda images, amounts: enhance.solarize(images, 256 / 255 * (1 - amounts.abs())),
    lambda images, amounts: enhance.posterize(images, 8 - (BITS * amounts.abs()).round().int()),
    lambda images, amounts: enhance.adjust_brightness_accumulative(images, 1 + FACTOR * amounts),
    lambda images, amounts: contrasted(images, 1 + FACTOR * amounts),
    lambda images, amounts: saturated(images, 1 + FACTOR * amounts),
    lambda images, amounts: sharpened(images, 1 + FACTOR * amounts),
)
