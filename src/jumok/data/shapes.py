"""Generated pictures for tests and the demo: a bright shape of any place, size and tint on a dark, restless ground."""

import math
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jumok.data.image_file import MISSING, Pixels
from jumok.errors import UserError

try:
    from PIL import Image, ImageDraw
except ModuleNotFoundError as error:
    raise UserError(MISSING) from error

_FINE = 4  # drawn so much larger and shrunk: smooth edges
_TILT = math.radians(12)
_DARK, _BRIGHT = (0, 110), (140, 255)  # a channel of the background, of the shape

Point = tuple[float, float]
Plane = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def _polygon(*radii: float, start: float = 0.0) -> list[Point]:
    """Corners around the origin, the first one upward, turned by `start` corners."""
    steps = [2 * math.pi * (i + start) / len(radii) for i in range(len(radii))]
    return [(r * math.sin(step), -r * math.cos(step)) for r, step in zip(radii, steps, strict=True)]


def _ellipse(width: float, height: float) -> list[Point]:
    return [(width * x, height * y) for x, y in _polygon(*[1.0] * 48)]


_ARM = 0.3
_CROSS = [(_ARM, -1), (_ARM, -_ARM), (1, -_ARM), (1, _ARM), (_ARM, _ARM), (_ARM, 1)]

# class -> outlines within the unit circle, filled one after another: with the shape, with the background, with the ...
OUTLINES: dict[str, list[list[Point]]] = {
    "bar": [[(-1, -0.3), (1, -0.3), (1, 0.3), (-1, 0.3)]],
    "circle": [_ellipse(0.9, 0.9)],
    "cross": [[*_CROSS, *((-x, -y) for x, y in _CROSS)]],
    "frame": [_polygon(*[1.2] * 4, start=0.5), _polygon(*[0.7] * 4, start=0.5)],
    "ring": [_ellipse(0.95, 0.95), _ellipse(0.55, 0.55)],
    "square": [_polygon(*[1.2] * 4, start=0.5)],
    "star": [_polygon(*[1.1, 0.45] * 5)],
    "triangle": [_polygon(*[1.1] * 3)],
}
CLASSES = tuple(OUTLINES)


def draw_shape(name: str, size: int, rng: random.Random) -> Pixels:
    """A picture (size, size, 3) of the shape `name`, all else drawn from `rng`."""
    background, colour = ([rng.uniform(*ends) for _ in range(3)] for ends in (_DARK, _BRIGHT))
    radius = size * rng.uniform(0.3, 0.42)
    middle = [rng.uniform(radius, size - radius) for _ in range(2)]
    mask = filled(name, size, radius, middle, rng.uniform(-_TILT, _TILT))
    return restless(mask * np.array(colour) + (1 - mask) * np.array(background), rng)


def filled(name: str, size: int, radius: float, middle: Sequence[float], tilt: float) -> Plane:
    """How much of each pixel the shape `name` covers, 0-1, (size, size, 1); `middle` and `radius` in pixels."""
    sheet = Image.new("L", (size * _FINE, size * _FINE))
    for number, outline in enumerate(OUTLINES[name]):
        _fill(sheet, outline, radius, middle, tilt, 255 * (1 - number % 2))
    mask: Plane = np.asarray(sheet.resize((size, size), Image.Resampling.BOX), dtype=np.float64)[:, :, None] / 255
    return mask


def restless(picture: Plane, rng: random.Random, blotched: float = 0.2) -> Pixels:
    """A picture (S, S, 3) of 0-255 with blotches and grain: neither a single pixel nor the mean colour tells much."""
    size = len(picture)
    noise = np.random.Generator(np.random.PCG64(rng.getrandbits(64)))
    blotches = Image.fromarray(noise.integers(0, 256, (4, 4, 3), dtype=np.uint8)).resize((size, size))
    picture = picture + blotched * (np.asarray(blotches, dtype=np.float64) - 128) + noise.normal(0, 10, picture.shape)
    pixels: Pixels = np.clip(picture, 0, 255).astype(np.uint8)
    return pixels


def shapes(count: int, size: int, seed: int = 1, split: str = "train") -> list[tuple[Pixels, int]]:
    """`count` pictures with their labels (places in `CLASSES`), the classes in turn; a pure function of all four."""
    labels = [number % len(CLASSES) for number in range(count)]
    return [
        (draw_shape(CLASSES[label], size, random.Random(f"{seed} {split} {number} {size}")), label)
        for number, label in enumerate(labels)
    ]


def write_shapes(folder: Path, train: int = 4000, val: int = 400, size: int = 32, seed: int = 1) -> None:
    """Class folders of PNG as a user has them: `folder/train/<class>/00000.png` and `folder/val/...`.

    Raises `OSError` where the folder cannot be written.
    """
    for split, count in (("train", train), ("val", val)):
        for name in CLASSES:
            (folder / split / name).mkdir(parents=True, exist_ok=True)
        for number, (pixels, label) in enumerate(shapes(count, size, seed, split)):
            Image.fromarray(pixels).save(folder / split / CLASSES[label] / f"{number:05d}.png")


def _fill(
    sheet: Image.Image, outline: Sequence[Point], radius: float, middle: Sequence[float], tilt: float, value: int
) -> None:
    cos, sin = math.cos(tilt) * radius, math.sin(tilt) * radius
    points = [((cos * x - sin * y + middle[0]) * _FINE, (sin * x + cos * y + middle[1]) * _FINE) for x, y in outline]
    ImageDraw.Draw(sheet).polygon(points, fill=value)
