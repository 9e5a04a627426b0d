"""One pass over labelled images: each is decoded once, kept for training if there is room, and reported on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jumok.data.bars import bars
from jumok.data.image_pass import (
    BUDGET,
    Pass,
    PixelPart,
    PixelReport,
    pixel_part,
    read_pixels,
    repeat_lines,
    size_lines,
    unreadable_lines,
)
from jumok.data.image_store import ImageStore
from jumok.data.images import ImageSet
from jumok.errors import UserError

_MOST_CLASSES = 40


@dataclass(frozen=True)
class ImagePart(PixelPart):
    """What was found in one split.

    `balance` counts the readable images of each class; `relabelled` are those of the repeated images that stand under
    another label; `ignored` are files that are no images by their names.
    """

    ignored: int
    balance: dict[str, int]
    relabelled: int

    def lines(self) -> list[str]:
        present = sum(count > 0 for count in self.balance.values())
        of = f"{present:,}" if present == len(self.balance) else f"{present:,} of {len(self.balance):,}"
        lines = [
            f"{self.name}: {self.images:,} images, {of} classes ({self.source})",
            *unreadable_lines(self.unreadable),
        ]
        if self.ignored:
            lines.append(f"  notice: {self.ignored:,} files were left out, by their names they are no images")
        lines += repeat_lines(self)
        if self.relabelled:
            lines.append(f"  notice: {self.relabelled:,} of them stand under another label than the first")
        if self.overlap is not None:
            lines.append(f"  also in train: {self.overlap:,} images")
        return lines + size_lines(self) + _class_lines(self)


class ImageReport(PixelReport[ImagePart]):
    """The report on labelled images."""


def check_images(
    sets: Sequence[ImageSet],
    size: int,
    channels: int,
    *,
    budget: int = BUDGET,
    training: bool = True,
    advance: Callable[[int], None] | None = None,
) -> tuple[list[ImageStore], ImageReport]:
    """Decode every image of `sets` once: those that can be read, and a report on all.

    With `training` the first of `sets` is the training split, which must have images of every class.

    `size` is the side of the square the model will see. Decoded pixels are kept as long as they are within `budget`
    bytes. `advance` is told how many images more are done. Images that cannot be read are left out and reported;
    `UserError` is raised where that leaves a split, or a class of the training data, without any.
    """
    stores: list[ImageStore] = []
    parts: list[ImagePart] = []
    used = 0
    for images in sets:
        found = read_pixels(images.name, images.paths, size, channels, budget - used, advance or (lambda count: None))
        labels = np.array([images.labels[i] for i in found.good], dtype=np.int64)
        store = ImageStore(**vars(found.store), labels=labels, classes=images.classes)
        _check_classes(images, store, found.excuse, training=training and not stores)
        used += store.kept_bytes
        stores.append(store)
        parts.append(_part(images, store, found, stores[0]))
    return stores, ImageReport(parts, sum(pixels is not None for store in stores for pixels in store.kept), used)


def _check_classes(images: ImageSet, store: ImageStore, excuse: str, training: bool) -> None:
    if not len(store):
        raise UserError(f"no image of {images.source} is left ({excuse}); mend the files, or give where they are")
    counts = np.bincount(store.labels, minlength=len(store.classes))
    if training and not counts.all():
        lost = store.classes[int(np.flatnonzero(counts == 0)[0])]
        raise UserError(f"no image of the class {lost!r} in {images.source} is left ({excuse}); add some, or remove it")


def _part(images: ImageSet, store: ImageStore, found: Pass[Path], training: ImageStore) -> ImagePart:
    seen: dict[bytes, int] = {}
    pairs = zip(store.hashes, store.labels.tolist(), strict=True)
    relabelled = sum(seen.setdefault(digest, label) != label for digest, label in pairs)
    counts = np.bincount(store.labels, minlength=len(store.classes)).tolist()
    pixels = pixel_part(found, images.source, found.store if store is training else training)
    balance = dict(zip(store.classes, counts, strict=True))
    return ImagePart(**vars(pixels), ignored=images.ignored, balance=balance, relabelled=relabelled)


def _class_lines(part: ImagePart) -> list[str]:
    rows = list(part.balance.items())
    if len(rows) <= _MOST_CLASSES:
        return ["  classes:", *bars(rows)]
    low, high = (choose(rows, key=lambda row: row[1]) for choose in (min, max))
    mean = part.images / len(rows)
    return [f"  images a class: {mean:,.1f}, least {low[0]!r} ({low[1]:,}), most {high[0]!r} ({high[1]:,})"]
