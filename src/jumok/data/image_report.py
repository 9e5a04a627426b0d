"""One pass over labelled images: each is decoded once, kept for training if there is room, and reported on."""

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from jumok.data.image_file import BadImage, Pixels, decode
from jumok.data.image_store import ImageStore, cores, shorter
from jumok.data.images import ImageSet
from jumok.errors import UserError

BUDGET = 2 << 30  # bytes of decoded pixels kept in memory, of all splits together

_EDGES = (0, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
_CHUNK = 64
_BAR = 24
_MOST_CLASSES = 40
_SHOWN = 5


@dataclass(frozen=True)
class ImagePart:
    """What was found in one split.

    `balance` counts the readable images of each class; `repeats` are images whose pixels an earlier one of the split
    has, `relabelled` those of them under another label; `overlap` are images that also stand in the training data.
    Sizes are (width, height): `common` the most frequent with their counts, `bins` (low, high, count) of the shorter
    side.
    """

    name: str
    source: str
    images: int
    unreadable: list[tuple[str, str]]
    ignored: int
    balance: dict[str, int]
    repeats: int
    relabelled: int
    overlap: int | None
    common: list[tuple[int, int, int]]
    smallest: tuple[int, int]
    largest: tuple[int, int]
    bins: list[tuple[int, int | None, int]]


@dataclass(frozen=True)
class ImageReport:
    """The splits in their order, the training data first, and how many of all images are kept decoded."""

    parts: list[ImagePart]
    kept: int
    bytes: int

    def as_dict(self) -> dict[str, Any]:
        """The counts as plain values for JSON; of unreadable images, each path with its reason."""
        return {
            "parts": [{name: getattr(part, name) for name in ImagePart.__dataclass_fields__} for part in self.parts],
            "kept": self.kept,
            "bytes": self.bytes,
        }

    def text(self) -> str:
        """The printed report."""
        return "\n".join(line for part in self.parts for line in _part_lines(part))


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
        store, sizes, unreadable, used = _read(images, size, channels, budget, used, advance or (lambda count: None))
        _check_classes(images, store, unreadable, training=training and not stores)
        stores.append(store)
        parts.append(_part(images, store, sizes, unreadable, stores[0]))
    return stores, ImageReport(parts, sum(pixels is not None for store in stores for pixels in store.kept), used)


Found = tuple[Pixels, tuple[int, int], bytes]
"""Pixels, (width, height) of the file, hash."""


def _read(
    images: ImageSet, size: int, channels: int, budget: int, used: int, advance: Callable[[int], None]
) -> tuple[ImageStore, Counter[tuple[int, int]], list[tuple[Path, str]], int]:
    """The images of one split as a store, their sizes, what could not be read, and the bytes kept so far."""
    good: list[int] = []
    kept: list[Pixels | None] = []
    hashes: list[bytes] = []
    sizes: Counter[tuple[int, int]] = Counter()
    unreadable: list[tuple[Path, str]] = []
    chunks = [images.paths[start : start + _CHUNK] for start in range(0, len(images), _CHUNK)]
    place = 0
    for results in _ahead(partial(_chunk, channels=channels, most=shorter(size)), chunks):
        for result in results:
            if isinstance(result, str):
                unreadable.append((images.paths[place], result))
            else:
                pixels, original, digest = result
                room = used + pixels.nbytes <= budget
                used += pixels.nbytes if room else 0
                good.append(place)
                kept.append(pixels if room else None)
                hashes.append(digest)
                sizes[original] += 1
            place += 1
        advance(len(results))
    labels = np.array([images.labels[i] for i in good], dtype=np.int64)
    paths = [images.paths[i] for i in good]
    store = ImageStore(images.name, paths, labels, images.classes, size, channels, kept, hashes)
    return store, sizes, unreadable, used


def _chunk(paths: list[Path], channels: int, most: int) -> list[Found | str]:
    """Each image as it was found, or why it could not be read."""
    found: list[Found | str] = []
    for path in paths:
        try:
            pixels, original = decode(path, channels, most)
        except BadImage as error:
            found.append(str(error))
        else:
            digest = hashlib.blake2b(repr((original, pixels.shape)).encode(), digest_size=16)
            digest.update(pixels.tobytes())
            found.append((pixels, original, digest.digest()))
    return found


def _ahead(
    work: Callable[[list[Path]], list[Found | str]], chunks: Sequence[list[Path]]
) -> Iterator[list[Found | str]]:
    """The chunks' results in order, worked out by threads that stay only a few chunks ahead of the reader."""
    with ThreadPoolExecutor(cores()) as pool:
        waiting: deque[Future[list[Found | str]]] = deque()
        rest = iter(chunks)
        waiting.extend(pool.submit(work, chunk) for chunk in islice(rest, 4 * cores()))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(work, chunk) for chunk in islice(rest, 1))
            yield result


def _check_classes(images: ImageSet, store: ImageStore, unreadable: list[tuple[Path, str]], training: bool) -> None:
    first = f"{len(unreadable):,} cannot be read, first {unreadable[0][0]}: {unreadable[0][1]}" if unreadable else ""
    if not len(store):
        raise UserError(f"no image of {images.source} is left ({first}); mend the files, or give where they are")
    counts = np.bincount(store.labels, minlength=len(store.classes))
    if training and not counts.all():
        lost = store.classes[int(np.flatnonzero(counts == 0)[0])]
        raise UserError(f"no image of the class {lost!r} in {images.source} is left ({first}); add some, or remove it")


def _part(
    images: ImageSet,
    store: ImageStore,
    sizes: Counter[tuple[int, int]],
    unreadable: list[tuple[Path, str]],
    training: ImageStore,
) -> ImagePart:
    seen: dict[bytes, int] = {}
    repeats = relabelled = 0
    for digest, label in zip(store.hashes, store.labels.tolist(), strict=True):
        first = seen.setdefault(digest, label)
        relabelled += first != label
    repeats = len(store) - len(seen)
    overlap = None if store is training else sum(map(set(training.hashes).__contains__, store.hashes))
    counts = np.bincount(store.labels, minlength=len(store.classes)).tolist()
    by_area = sorted(sizes, key=lambda pair: (pair[0] * pair[1], pair))
    sides: Counter[int] = Counter()
    for pair, count in sizes.items():
        sides[max(edge for edge in _EDGES if edge < min(pair))] += count
    bins = [(low + 1, next((edge for edge in _EDGES if edge > low), None), sides[low]) for low in _EDGES if sides[low]]
    return ImagePart(
        images.name,
        str(images.source),
        len(store),
        [(str(path), reason) for path, reason in unreadable],
        images.ignored,
        dict(zip(store.classes, counts, strict=True)),
        repeats,
        relabelled,
        overlap,
        [(*pair, count) for pair, count in sizes.most_common(_SHOWN)],
        by_area[0],
        by_area[-1],
        bins,
    )


def _part_lines(part: ImagePart) -> list[str]:
    present = sum(count > 0 for count in part.balance.values())
    of = f"{present:,}" if present == len(part.balance) else f"{present:,} of {len(part.balance):,}"
    lines = [f"{part.name}: {part.images:,} images, {of} classes ({part.source})"]
    if part.unreadable:
        first = "; ".join(f"{path} ({reason})" for path, reason in part.unreadable[:_SHOWN])
        more = f"; and {len(part.unreadable) - _SHOWN:,} more" if len(part.unreadable) > _SHOWN else ""
        lines.append(f"  unreadable: {len(part.unreadable):,}, skipped: {first}{more}")
    if part.ignored:
        lines.append(f"  notice: {part.ignored:,} files were left out, by their names they are no images")
    if part.repeats:
        share = 100 * part.repeats / part.images
        lines.append(f"  duplicates: {part.repeats:,} images ({share:.2f} %) repeat an earlier one (kept)")
    if part.relabelled:
        lines.append(f"  notice: {part.relabelled:,} of them stand under another label than the first")
    if part.overlap is not None:
        lines.append(f"  also in train: {part.overlap:,} images")
    return lines + _size_lines(part) + _class_lines(part)


def _size_lines(part: ImagePart) -> list[str]:
    if part.smallest == part.largest:
        return [f"  size: all {part.smallest[0]:,} x {part.smallest[1]:,} pixels"]
    ends = " to ".join(f"{width:,} x {height:,}" for width, height in (part.smallest, part.largest))
    common = ", ".join(f"{width:,} x {height:,} ({count:,})" for width, height, count in part.common)
    rows = [(f"{low}+" if high is None else f"{low}-{high}", count) for low, high, count in part.bins]
    return [f"  size: {ends} pixels, most often {common}; by the shorter side:", *_bars(rows)]


def _class_lines(part: ImagePart) -> list[str]:
    rows = list(part.balance.items())
    if len(rows) <= _MOST_CLASSES:
        return ["  classes:", *_bars(rows)]
    low, high = (choose(rows, key=lambda row: row[1]) for choose in (min, max))
    mean = part.images / len(rows)
    return [f"  images a class: {mean:,.1f}, least {low[0]!r} ({low[1]:,}), most {high[0]!r} ({high[1]:,})"]


def _bars(rows: list[tuple[str, int]]) -> list[str]:
    wide = max(len(label) for label, _ in rows)
    most = max(1, *(count for _, count in rows))
    bars = ["█" * max(round(_BAR * count / most), int(count > 0)) for _, count in rows]
    return [f"    {label:>{wide}}  {count:>9,} {bar}".rstrip() for (label, count), bar in zip(rows, bars, strict=True)]
