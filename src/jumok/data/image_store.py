"""The readable images of a split at hand: decoded once and kept where they fit, decoded again where they do not."""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from jumok.data.image_file import BadImage, Pixels
from jumok.errors import UserError

MARGIN = 1.15  # images are kept this much larger than the model sees them, so that random crops have pixels to choose

Labels = np.ndarray[tuple[int], np.dtype[np.int64]]
F = TypeVar("F")
"""Names one image: a path, or its place in something else."""

Read = Callable[[F], tuple[Pixels, tuple[int, int]]]
"""The pixels of one image, and the (width, height) that the file says it has. Raises `BadImage`."""


@dataclass(frozen=True)
class PixelStore(Generic[F]):
    """Images that can be decoded: `kept[i]` are the pixels of `paths[i]`, or None; what they show is not its matter.

    `read` decodes one, with `channels` channels, and not much larger than the model sees it. `hashes` name the pixels.
    Reading changes nothing in it, so any number of threads may share one.
    """

    name: str
    paths: list[F]
    read: Read[F] = field(repr=False)
    channels: int
    kept: list[Pixels | None] = field(repr=False)
    hashes: list[bytes] = field(repr=False)

    def __len__(self) -> int:
        return len(self.paths)

    def pixels(self, indices: Sequence[int]) -> list[Pixels]:
        """The images at `indices`, (H, W, channels) of uint8 each; those that are not kept are decoded in threads.

        Raises `UserError` if a file can no longer be read.
        """
        missing = [i for i in indices if self.kept[i] is None]
        decoded: dict[int, Pixels] = {}
        if missing:
            with ThreadPoolExecutor(min(cores(), len(missing))) as pool:
                decoded = dict(zip(missing, pool.map(self._decode, missing), strict=True))
        return [pixels if (pixels := self.kept[i]) is not None else decoded[i] for i in indices]

    @property
    def kept_bytes(self) -> int:
        """How many bytes of pixels are kept."""
        return sum(pixels.nbytes for pixels in self.kept if pixels is not None)

    def _decode(self, index: int) -> Pixels:
        try:
            return self.read(self.paths[index])[0]
        except BadImage as error:
            raise UserError(
                f"{self.paths[index]} could be read when the data were checked, but not now: {error}; "
                "put it back, or start again without it"
            ) from error


@dataclass(frozen=True)
class ImageStore(PixelStore[Path]):
    """Images with a label each: `paths[i]` shows `classes[labels[i]]`."""

    labels: Labels
    classes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """A hash of all pixels, labels and class names, in their order: what the run was trained on."""
        total = hashlib.sha256("\n".join(self.classes).encode())
        total.update(self.labels.tobytes())
        total.update(b"".join(self.hashes))
        return total.hexdigest()


def shorter(size: int) -> int:
    """The most pixels that the shorter side of a kept image has, for a model that sees `size`."""
    return round(MARGIN * size)


def channel_statistics(store: PixelStore[F], most: int = 10_000) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel, on 0-1, over at most `most` images spread over the store."""
    chosen = np.unique(np.linspace(0, len(store) - 1, min(most, len(store))).astype(np.int64)).tolist()
    count, total, squares = 0, np.zeros(store.channels), np.zeros(store.channels)
    for start in range(0, len(chosen), 256):
        for pixels in store.pixels(chosen[start : start + 256]):
            values = pixels.reshape(-1, store.channels).astype(np.float32) / 255
            count += len(values)
            total += values.sum(0, dtype=np.float64)
            squares += np.square(values).sum(0, dtype=np.float64)
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    # a channel that is the same everywhere is only centred
    return mean.tolist(), np.where(deviation > 1e-4, deviation, 1.0).tolist()


def cores() -> int:
    """Processor cores of this machine."""
    return os.cpu_count() or 1
