"""Cropped words as a reader sees them: one height, a width of their own; decoded once and kept where they fit."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from pydantic import Field
from torch import Tensor

from jumok.data.augment import Normalization
from jumok.data.image_file import MODES, Pixels, decode
from jumok.data.image_store import PixelStore
from jumok.data.stored import Stored
from jumok.data.word_images import Crop
from jumok.data.word_lmdb import StoredImage

MARGIN = 1.5  # crops are kept this much larger than the model sees them: distortions need pixels
TALL = 1.5  # height / width from which a crop may be a word that runs downwards
NARROWEST = 32  # pixels; a single letter is no narrower to the model


class WordShape(Stored):
    """What turns a crop into what the model sees: its height, and the nearest width of those that are allowed."""

    FILE: ClassVar = "preprocessing.json"

    height: int = Field(ge=1, description="pixels of every image")
    width: int = Field(ge=1, description="pixels of the widest image; wider crops are squeezed into it")
    step: int = Field(ge=1, description="widths are multiples of this many pixels")
    channels: int = Field(ge=1, le=4, description="1 grey, 3 RGB")
    vertical: bool = Field(description="crops higher than 1.5 x their width are turned by 90 degrees")
    mean: tuple[float, ...] = Field(strict=False, description="of each channel, on 0-1")
    std: tuple[float, ...] = Field(strict=False, description="of each channel, on 0-1")

    @property
    def normalization(self) -> Normalization:
        return Normalization(self.mean, self.std)

    @property
    def narrowest(self) -> int:
        """The least width that an image is brought to."""
        return min(self.widest, -(-NARROWEST // self.step) * self.step)

    @property
    def widest(self) -> int:
        """The largest multiple of the step within `width`."""
        return max(1, self.width // self.step) * self.step

    def width_of(self, pixels: Pixels) -> int:
        """The allowed width nearest to that of an upright crop at the model's height."""
        return self._nearest(pixels.shape[1] / pixels.shape[0])

    def width_at(self, aspect: float) -> int:
        """The same of a crop of this width / height, which may have to be turned first."""
        return self._nearest(1 / aspect if self.vertical and aspect * TALL < 1 else aspect)

    def _nearest(self, aspect: float) -> int:
        return min(self.widest, max(self.narrowest, round(aspect * self.height / self.step) * self.step))

    def decoded(self, crop: Crop) -> tuple[Pixels, tuple[int, int]]:
        """The crop upright and not larger than needed, and the (width, height) of the file. Raises `BadImage`."""
        most = round(MARGIN * self.height)
        content = crop.content() if isinstance(crop, StoredImage) else crop
        pixels, size = decode(content, self.channels, most)
        return self.upright(pixels), size

    def upright(self, pixels: Pixels) -> Pixels:
        """A tall crop turned, if the recipe asks for it, and what is much larger than the model's size shrunk."""
        if self.vertical and is_tall(pixels):
            pixels = turned(pixels, 1)
        height, width = pixels.shape[:2]
        high, wide = min(height, round(MARGIN * self.height)), min(width, round(MARGIN * self.widest))
        return pixels if (high, wide) == (height, width) else stretched(pixels, high, wide)

    def tensor(self, images: Sequence[Pixels], width: int) -> Tensor:
        """Crops (H, W, C) stretched to one width, (B, C, height, width) normalised."""
        batch = np.stack([stretched(pixels, self.height, width) for pixels in images])
        values = torch.from_numpy(batch).permute(0, 3, 1, 2).float().contiguous().div_(255)
        return self.normalization(values)


def plain_shape(height: int, width: int, *, step: int = 16, vertical: bool = False) -> WordShape:
    """Colour images of this height, no wider than `width`, brought to -1 .. 1."""
    return WordShape(
        height=height, width=width, step=step, channels=3, vertical=vertical, mean=(0.5,) * 3, std=(0.5,) * 3
    )


def is_tall(pixels: Pixels) -> bool:
    """Whether a crop is so much higher than wide that its word may run downwards."""
    return bool(pixels.shape[0] > TALL * pixels.shape[1])


def turned(pixels: Pixels, quarters: int) -> Pixels:
    """A crop turned by so many quarters of a circle, against the clock."""
    return np.ascontiguousarray(np.rot90(pixels, quarters))


def stretched(pixels: Pixels, height: int, width: int) -> Pixels:
    """A crop at this size, antialiased."""
    if pixels.shape[:2] == (height, width):
        return pixels
    channels = pixels.shape[2]
    image = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels, MODES[channels])
    result = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    return result if channels > 1 else result[:, :, None]


@dataclass(frozen=True)
class WordStore(PixelStore[Crop]):
    """Words that can be used: `paths[i]` shows `texts[i]`, spelled as the character set has it.

    Pixels are upright; `widths[i]` is the width that the model sees a word at.
    """

    shape: WordShape
    texts: list[str]
    widths: list[int] = field(repr=False)

    @property
    def digest(self) -> str:
        """A hash of all pixels and texts, in their order: what the run was trained on."""
        total = hashlib.sha256("\n".join(self.texts).encode())
        total.update(b"".join(self.hashes))
        return total.hexdigest()


def by_width(widths: Sequence[int], size: int) -> list[list[int]]:
    """Places in batches of at most `size`, those of a batch of one and the same width, the widest first."""
    batches: list[list[int]] = []
    for place in sorted(range(len(widths)), key=lambda place: (-widths[place], place)):
        if not batches or len(batches[-1]) == size or widths[batches[-1][0]] != widths[place]:
            batches.append([])
        batches[-1].append(place)
    return batches
