"""One pass over images with captions: each image is decoded once, kept if there is room, and all is reported on."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from jumok.data.bars import bars
from jumok.data.captions import CaptionSet
from jumok.data.image_file import ABSENT
from jumok.data.image_pass import (
    BUDGET,
    SHOWN,
    Pass,
    PixelPart,
    PixelReport,
    named,
    pixel_part,
    read_pixels,
    repeat_lines,
    size_lines,
    unreadable_lines,
)
from jumok.data.image_store import PixelStore
from jumok.errors import UserError

SIDES = re.compile(r"\b(left|right)\b|왼쪽|오른쪽|좌측|우측", re.IGNORECASE)

_EDGES = (0, 4, 8, 12, 16, 24, 32, 64, 128)


@dataclass(frozen=True)
class CaptionStore(PixelStore[Path]):
    """Images with captions: `paths[i]` shows what each of `captions[i]` says."""

    captions: list[list[str]]

    @property
    def digest(self) -> str:
        """A hash of all pixels and captions, in their order: what the run was trained on."""
        total = hashlib.sha256(b"".join(self.hashes))
        total.update("\n".join("\t".join(captions) for captions in self.captions).encode())
        return total.hexdigest()


@dataclass(frozen=True)
class CaptionPart(PixelPart):
    """What was found in one split, beside its pixels.

    `absent` images are listed but not there; the `unreadable` are there. `captions` are those of the readable images,
    `fewest` to `most` an image, of `words` words with `vocabulary` different ones; `lengths` (low, high, captions) in
    words, `frequent` the commonest with their counts. `empty` captions and images without any other (`bare`) were left
    out, and so were `strays`, which name an image that the file does not list. `repeated` captions stand earlier in the
    split too; `overlap_captions` in the training data; `sides` say left or right.
    """

    absent: list[str]
    captions: int
    fewest: int
    most: int
    empty: int
    bare: list[str]
    strays: int
    repeated: int
    overlap_captions: int | None
    words: int
    vocabulary: int
    frequent: list[tuple[str, int]]
    lengths: list[tuple[int, int | None, int]]
    sides: int

    def lines(self) -> list[str]:
        each = f"{self.fewest:,}" if self.fewest == self.most else f"{self.fewest:,} to {self.most:,}"
        lines = [f"{self.name}: {self.images:,} images with {self.captions:,} captions, {each} each ({self.source})"]
        if self.absent:
            lines.append(f"  absent: {len(self.absent):,} listed images are not there, skipped: {named(self.absent)}")
        lines += unreadable_lines(self.unreadable)
        if self.empty or self.bare:
            images = f"{len(self.bare):,} images without any" + (f": {named(self.bare)}" if self.bare else "")
            lines.append(f"  empty: {self.empty:,} captions, left out; so were {images}")
        if self.strays:
            lines.append(f"  notice: {self.strays:,} captions were left out, the file does not list their images")
        lines += repeat_lines(self)
        if self.repeated:
            share = 100 * self.repeated / self.captions
            often = f"{self.frequent[0][0]!r} ({self.frequent[0][1]:,})"
            lines.append(f"  repeated captions: {self.repeated:,} ({share:.2f} %), most often {often}")
        if self.overlap is not None:
            lines.append(f"  also in train: {self.overlap:,} images, {self.overlap_captions:,} captions")
        if self.sides:
            lines.append(f"  left and right: in {self.sides:,} captions")
        rows = [(f"{low}+" if high is None else f"{low}-{high}", count) for low, high, count in self.lengths]
        mean = self.words / self.captions
        words = f"  words: {self.words:,}, {self.vocabulary:,} different; captions by length, {mean:.1f} on average:"
        return [*lines, *size_lines(self), words, *bars(rows)]


class CaptionReport(PixelReport[CaptionPart]):
    """The report on captioned images."""


def check_captions(
    sets: Sequence[CaptionSet],
    size: int,
    channels: int,
    *,
    budget: int = BUDGET,
    advance: Callable[[int], None] | None = None,
) -> tuple[list[CaptionStore], CaptionReport]:
    """Decode every image of `sets` once: those that can be read, and a report on all, the first being the training.

    `size`, `budget` and `advance` as in `check_images`. Images that are absent or cannot be read are left out and
    reported; `UserError` is raised where that leaves a split without any.
    """
    stores: list[CaptionStore] = []
    parts: list[CaptionPart] = []
    used = 0
    for images in sets:
        found = read_pixels(images.name, images.paths, size, channels, budget - used, advance or (lambda count: None))
        if not found.good:
            raise UserError(
                f"no image of {images.source} is left ({found.excuse}); mend the files, or say where they are "
                "(data.images=FOLDER or --images FOLDER)"
            )
        store = CaptionStore(**vars(found.store), captions=[images.captions[i] for i in found.good])
        used += store.kept_bytes
        stores.append(store)
        parts.append(_part(images, store, found, stores[0]))
    return stores, CaptionReport(parts, sum(pixels is not None for store in stores for pixels in store.kept), used)


def _part(images: CaptionSet, store: CaptionStore, found: Pass[Path], training: CaptionStore) -> CaptionPart:
    first = store is training
    pixels = vars(pixel_part(found, images.source, found.store if first else training))
    absent = [path for path, reason in pixels["unreadable"] if reason == ABSENT]
    pixels["unreadable"] = [row for row in pixels["unreadable"] if row[1] != ABSENT]
    captions = [caption for each in store.captions for caption in each]
    counts = Counter(captions)
    words = [caption.split() for caption in captions]
    known = {caption for each in training.captions for caption in each}
    numbers = [len(each) for each in store.captions]
    return CaptionPart(
        **pixels,
        absent=absent,
        captions=len(captions),
        fewest=min(numbers),
        most=max(numbers),
        empty=images.empty,
        bare=[str(path) for path in images.bare],
        strays=images.strays,
        repeated=len(captions) - len(counts),
        overlap_captions=None if first else sum(caption in known for caption in captions),
        words=sum(map(len, words)),
        vocabulary=len({word.lower() for each in words for word in each}),
        frequent=counts.most_common(SHOWN),
        lengths=_lengths([len(each) for each in words]),
        sides=sum(bool(SIDES.search(caption)) for caption in captions),
    )


def _lengths(sizes: list[int]) -> list[tuple[int, int | None, int]]:
    edges = [*_EDGES, max(_EDGES[-1] + 1, *sizes)]
    rows = [(low + 1, high, sum(low < size <= high for size in sizes)) for low, high in pairwise(edges)]
    return [(low, None if low > _EDGES[-1] else high, count) for low, high, count in rows if count]
