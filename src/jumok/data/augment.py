"""From decoded images to a training batch: cut, flipped, changed, normalised, mixed - each sample by its own draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from jumok.config import Config
from jumok.data.image_crop import TRIES, Batch, centres, erasing_boxes, inside, resized_crops, shifted
from jumok.data.image_draws import Draws, draws
from jumok.data.image_file import Pixels
from jumok.data.image_mix import mix
from jumok.data.image_ops import jitter, rand_augment
from jumok.data.image_store import Labels
from jumok.errors import UserError

RATIO = (3 / 4, 4 / 3)  # width / height of a resized crop (Szegedy et al. 2015)
SHIFT = 1 / 8  # of the side: the 4 of 32 pixels that CIFAR's images are padded by (He et al. 2016)
HUE = 0.25  # of the colour's strength, as a share of the circle (Chen et al. 2020, SimCLR)
ERASED_AREA, ERASED_RATIO = (0.02, 1 / 3), (0.3, 1 / 0.3)  # Zhong et al. 2020


class PixelAugmentation(Config):
    """What happens to training images, in this order; evaluation sees the centre of the image as it is."""

    crop: Literal["resized", "shift", "none"] = Field(
        "resized", description="resized: a random part at full size; shift: moved by up to an eighth; none: the centre"
    )
    scale: tuple[float, float] = Field((0.25, 1.0), strict=False, description="area of a resized crop, as a share")
    flip: float = Field(0.5, ge=0, le=1, description="chance that left and right are exchanged")
    operations: int = Field(0, ge=0, description="RandAugment's N, operations one after another; 0 = off")
    magnitude: float = Field(9.0, ge=0, le=10, description="RandAugment's M, how far each operation goes")
    color: float = Field(
        0.0, ge=0, description="strength of random brightness, contrast, saturation and (a quarter of it) hue; 0 = off"
    )
    erasing: float = Field(0.0, ge=0, le=1, description="chance that a box of the image is erased")

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        if not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise UserError(f"augmentation.scale = {list(self.scale)}: two shares in order, above 0 and at most 1")
        return self


class Augmentation(PixelAugmentation):
    """The same for images whose labels can be mixed with them, at the end."""

    mixup: float = Field(0.0, ge=0, description="Mixup's alpha; 0 = off")
    cutmix: float = Field(0.0, ge=0, description="CutMix's alpha; 0 = off")


@dataclass(frozen=True)
class ImageBatch:
    """Images (B, C, S, S) float32, normalised; `labels` (B,) int64; `soft` labels (B, classes) where images are mixed.

    `indices` (B,) are the images' places in their store.
    """

    images: Tensor
    labels: Tensor
    soft: Tensor | None
    indices: Tensor

    def to(self, device: torch.device | str) -> "ImageBatch":
        """The same batch on `device`."""
        images, labels, indices = (
            tensor.to(device, non_blocking=True) for tensor in (self.images, self.labels, self.indices)
        )
        soft = None if self.soft is None else self.soft.to(device, non_blocking=True)
        return ImageBatch(images, labels, soft, indices)


@dataclass(frozen=True)
class Normalization:
    """(x - mean) / std of each channel, x on 0-1."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images: Tensor) -> Tensor:
        """images (B, C, S, S) on 0-1, changed in place."""
        mean, std = (torch.tensor(values)[:, None, None] for values in (self.mean, self.std))
        return images.sub_(mean).div_(std)


def evaluation_images(images: Sequence[Pixels], size: int, normalize: Normalization) -> Tensor:
    """What a model is asked about: the centre of each image, (B, C, S, S), normalised."""
    return normalize(_unit(centres(images, size)))


class PixelAugmenter:
    """Training images; what comes out depends on (seed, epoch, index) of each image alone.

    Holds no state: images can be made again, or in any thread, and are the same to the bit.
    """

    def __init__(self, options: PixelAugmentation, size: int, normalize: Normalization, seed: int) -> None:
        self.options, self.size, self.normalize, self.seed = options, size, normalize, seed

    def __call__(self, images: Sequence[Pixels], indices: Sequence[int], epoch: int) -> Tensor:
        """`images` (H, W, C) of uint8, at the places `indices`, as they look in `epoch`: (B, C, S, S), normalised."""
        options = self.options

        def numbers(stage: str, count: int) -> Draws:
            return draws(self.seed, epoch, stage, indices, count)

        batch = self._cut(images, numbers("crop", 2 * TRIES + 2))
        flipped = numbers("flip", 1)[:, 0] < options.flip
        batch[flipped] = batch[flipped, :, ::-1]
        pixels = _unit(batch)
        if options.operations:
            stages = numbers("randaugment", 2 * options.operations)
            pixels = rand_augment(pixels, stages, options.operations, options.magnitude)
        if options.color:
            factors = options.color, options.color, options.color, min(options.color * HUE, 0.5)
            pixels = jitter(pixels, numbers("jitter", 4), *factors)
        pixels = self.normalize(pixels)
        if options.erasing:
            chance = numbers("erasing", 5)
            boxes = erasing_boxes(self.size, chance[:, 1:], ERASED_AREA, ERASED_RATIO)
            boxes[chance[:, 0] >= options.erasing] = 0
            pixels = pixels.masked_fill_(inside(boxes, self.size), 0.0)  # 0 is the mean colour
        return pixels

    def _cut(self, images: Sequence[Pixels], numbers: Draws) -> Batch:
        """(B, S, S, C), its own memory."""
        if self.options.crop == "resized":
            return resized_crops(images, self.size, numbers, self.options.scale, RATIO)
        batch = centres(images, self.size)
        return shifted(batch, round(self.size * SHIFT), numbers[:, :2]) if self.options.crop == "shift" else batch


class Augmenter:
    """Training batches of labelled images; mixing depends on the indices of the batch too."""

    def __init__(self, options: Augmentation, size: int, normalize: Normalization, classes: int, seed: int) -> None:
        self.options, self.normalize, self.classes, self.seed = options, normalize, classes, seed
        self.pixels = PixelAugmenter(options, size, normalize, seed)

    def __call__(self, images: Sequence[Pixels], labels: Labels, indices: Sequence[int], epoch: int) -> ImageBatch:
        """`images` (H, W, C) of uint8 with their `labels` (B,) and places `indices`, as they look in `epoch`."""
        options = self.options
        pixels = self.pixels(images, indices, epoch)
        places = torch.tensor(indices, dtype=torch.int64)
        targets = torch.from_numpy(labels)
        if not (options.mixup or options.cutmix):
            return ImageBatch(pixels, targets, None, places)
        pixels, soft = mix(
            pixels,
            targets,
            self.classes,
            mixup=options.mixup,
            cutmix=options.cutmix,
            seed=self.seed,
            epoch=epoch,
            indices=indices,
        )
        return ImageBatch(pixels, targets, soft, places)


def _unit(batch: Batch) -> Tensor:
    """(B, S, S, C) of 0-255 as (B, C, S, S) of 0-1."""
    return torch.from_numpy(np.ascontiguousarray(batch)).permute(0, 3, 1, 2).float().contiguous().div_(255)
