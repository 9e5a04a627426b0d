"""One pass over image files, whatever is said of them: each is decoded once, kept if there is room, and counted."""

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar

from jumok.data.bars import bars
from jumok.data.image_file import BadImage, Pixels, decode
from jumok.data.image_store import F, PixelStore, Read, cores, shorter

BUDGET = 2 << 30  # bytes of decoded pixels kept in memory, of all splits together
SHOWN = 5  # examples named, of any kind

_EDGES = (0, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
_CHUNK = 64


@dataclass(frozen=True)
class Pass(Generic[F]):
    """The images that could be read as a `store`, of whose i-th `good[i]` is the place among all; and the others.

    `sizes` counts the (width, height) that the files say they have, `unreadable` are paths with reasons.
    """

    store: PixelStore[F]
    good: list[int]
    sizes: Counter[tuple[int, int]]
    unreadable: list[tuple[F, str]]

    @property
    def excuse(self) -> str:
        """For a message: how many cannot be read, and the first of them."""
        if not self.unreadable:
            return ""
        path, reason = self.unreadable[0]
        return f"{len(self.unreadable):,} cannot be read, first {path}: {reason}"


@dataclass(frozen=True)
class PixelPart:
    """What was found in the pixels of one split, read from `source`.

    `repeats` are images whose pixels an earlier one of the split has, `overlap` those that also stand in the training
    data. Sizes are (width, height): `common` the most frequent with their counts, `bins` (low, high, count) of the
    shorter side.
    """

    name: str
    source: str
    images: int
    unreadable: list[tuple[str, str]]
    repeats: int
    overlap: int | None
    common: list[tuple[int, int, int]]
    smallest: tuple[int, int]
    largest: tuple[int, int]
    bins: list[tuple[int, int | None, int]]

    def lines(self) -> list[str]:
        """What the report prints of this split."""
        first = f"{self.name}: {self.images:,} images ({self.source})"
        return [first, *unreadable_lines(self.unreadable), *repeat_lines(self), *size_lines(self)]


P = TypeVar("P", bound=PixelPart)


@dataclass(frozen=True)
class PixelReport(Generic[P]):
    """The splits in their order, the training data first, and how many of all images are kept decoded."""

    parts: list[P]
    kept: int
    bytes: int

    def as_dict(self) -> dict[str, Any]:
        """The counts as plain values for JSON; of unreadable images, each path with its reason."""
        return {"parts": [dict(vars(part)) for part in self.parts], "kept": self.kept, "bytes": self.bytes}

    def text(self) -> str:
        """The printed report."""
        return "\n".join(line for part in self.parts for line in part.lines())


def read_pixels(
    name: str, paths: Sequence[Path], size: int, channels: int, room: int, advance: Callable[[int], None]
) -> Pass[Path]:
    """Decode every image once, for a model that sees squares of `size` (see `read_each`)."""
    return read_each(name, paths, partial(decode, channels=channels, shorter=shorter(size)), channels, room, advance)


def read_each(
    name: str, paths: Sequence[F], read: Read[F], channels: int, room: int, advance: Callable[[int], None]
) -> Pass[F]:
    """Every image read once; the pixels kept take at most `room` bytes, `advance` is told how many more are done."""
    good: list[int] = []
    kept: list[Pixels | None] = []
    hashes: list[bytes] = []
    sizes: Counter[tuple[int, int]] = Counter()
    unreadable: list[tuple[F, str]] = []
    chunks = [list(paths[start : start + _CHUNK]) for start in range(0, len(paths), _CHUNK)]
    place = 0
    for results in _ahead(partial(_chunk, read=read), chunks):
        for result in results:
            if isinstance(result, str):
                unreadable.append((paths[place], result))
            else:
                pixels, original, digest = result
                fits = pixels.nbytes <= room
                room -= pixels.nbytes if fits else 0
                good.append(place)
                kept.append(pixels if fits else None)
                hashes.append(digest)
                sizes[original] += 1
            place += 1
        advance(len(results))
    store = PixelStore(name, [paths[i] for i in good], read, channels, kept, hashes)
    return Pass(store, good, sizes, unreadable)


def pixel_part(found: Pass[Any], source: Path, training: PixelStore[Any]) -> PixelPart:
    """What is to tell of a pass over at least one image; of the split `training` itself there is no overlap."""
    store = found.store
    overlap = None if store is training else sum(map(set(training.hashes).__contains__, store.hashes))
    by_area = sorted(found.sizes, key=lambda pair: (pair[0] * pair[1], pair))
    sides: Counter[int] = Counter()
    for pair, count in found.sizes.items():
        sides[max(edge for edge in _EDGES if edge < min(pair))] += count
    bins = [(low + 1, next((edge for edge in _EDGES if edge > low), None), sides[low]) for low in _EDGES if sides[low]]
    return PixelPart(
        store.name,
        str(source),
        len(store),
        [(str(path), reason) for path, reason in found.unreadable],
        len(store) - len(set(store.hashes)),
        overlap,
        [(*pair, count) for pair, count in found.sizes.most_common(SHOWN)],
        by_area[0],
        by_area[-1],
        bins,
    )


def named(items: Sequence[str]) -> str:
    """The first few of `items`, and how many more there are."""
    more = f"; and {len(items) - SHOWN:,} more" if len(items) > SHOWN else ""
    return "; ".join(items[:SHOWN]) + more


def unreadable_lines(unreadable: Sequence[tuple[str, str]], what: str = "unreadable") -> list[str]:
    if not unreadable:
        return []
    listed = named([f"{path} ({reason})" for path, reason in unreadable])
    return [f"  {what}: {len(unreadable):,}, skipped: {listed}"]


def repeat_lines(part: PixelPart) -> list[str]:
    if not part.repeats:
        return []
    share = 100 * part.repeats / part.images
    return [f"  duplicates: {part.repeats:,} images ({share:.2f} %) repeat an earlier one (kept)"]


def size_lines(part: PixelPart) -> list[str]:
    if part.smallest == part.largest:
        return [f"  size: all {part.smallest[0]:,} x {part.smallest[1]:,} pixels"]
    ends = " to ".join(f"{width:,} x {height:,}" for width, height in (part.smallest, part.largest))
    common = ", ".join(f"{width:,} x {height:,} ({count:,})" for width, height, count in part.common)
    rows = [(f"{low}+" if high is None else f"{low}-{high}", count) for low, high, count in part.bins]
    return [f"  size: {ends} pixels, most often {common}; by the shorter side:", *bars(rows)]


Found = tuple[Pixels, tuple[int, int], bytes]
"""Pixels, (width, height) of the file, hash."""


def _chunk(paths: list[F], read: Read[F]) -> list[Found | str]:
    """Each image as it was found, or why it could not be read."""
    found: list[Found | str] = []
    for path in paths:
        try:
            pixels, original = read(path)
        except BadImage as error:
            found.append(str(error))
        else:
            digest = hashlib.blake2b(repr((original, pixels.shape)).encode(), digest_size=16)
            digest.update(pixels.tobytes())
            found.append((pixels, original, digest.digest()))
    return found


def _ahead(work: Callable[[list[F]], list[Found | str]], chunks: Sequence[list[F]]) -> Iterator[list[Found | str]]:
    """The chunks' results in order, worked out by threads that stay only a few chunks ahead of the reader."""
    with ThreadPoolExecutor(cores()) as pool:
        waiting: deque[Future[list[Found | str]]] = deque()
        rest = iter(chunks)
        waiting.extend(pool.submit(work, chunk) for chunk in islice(rest, 4 * cores()))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(work, chunk) for chunk in islice(rest, 1))
            yield result
