"""What light, lens, sensor and file do to a picture of a word: shade, blur, low resolution, noise, JPEG."""

import io
import math
from functools import lru_cache
from random import Random

import numpy as np
from PIL import Image, ImageFilter

from jumok.data.image_file import Pixels

Rows = np.ndarray[tuple[int, int], np.dtype[np.float32]]
"""(H, 3 W): an image whose rows are one after another, for numpy is slow over three channels alone."""

_HIGH, _WIDE = 192, 768  # size of the drawn noise
_UNIT = 32  # its deviation: in bytes, the tables stay in the processor's cache
_LINES = ((0, 1), (1, 1), (1, 0), (1, -1), (2, 1), (1, 2), (2, -1), (1, -2))  # directions of motion on a grid of 5 x 5


def blurred(image: Image.Image, height: float, rng: Random, strength: float) -> Image.Image:
    """Out of focus, or moved while the shutter was open: by a few hundredths of a letter's `height`, in pixels."""
    kind, far = rng.random(), min(2.0, abs(rng.gauss(0, 1)))
    choice, short = rng.random(), 0.3 * rng.random()
    if kind < 0.55 * strength:
        radius = 0.04 * strength * height * far
        if radius < 0.15:
            return image
        # a lens out of focus spreads a point over a disc, nearer to a box than to a bell
        return image.filter((ImageFilter.BoxBlur if choice < 0.6 else ImageFilter.GaussianBlur)(radius))
    if kind < 0.68 * strength:
        # longer one way: the camera moved right or down
        long = 0.045 * strength * height * (0.5 + far / 2)
        return image.filter(ImageFilter.BoxBlur((long, short) if choice < 0.6 else (short, long)))
    if kind < 0.75 * strength and height > 14:
        return image.filter(_line_kernels()[int(choice * len(_LINES))])
    return image


def exposed(image: Image.Image, lumas: tuple[float, float], rng: Random, colours: float, noise: float) -> Pixels:
    """`image` (H, W, 3) in uneven light of some tint, more or less contrasty, with the sensor's noise.

    `lumas` are those of the letters and of the ground: most of the difference between them is kept.
    """
    pixels = np.asarray(image)
    height, width, _ = pixels.shape
    values: Rows = pixels.reshape(height, -1).astype(np.float32)
    grainy, grain = rng.random(), rng.gauss(0, 0.8)
    place = rng.random(), rng.random(), rng.random()
    gain, offset = [1.0, 1.0, 1.0], 0.0
    if rng.random() < 0.7 * colours:
        contrast, shift = math.exp(colours * min(0.35, rng.gauss(-0.1, 0.25))), colours * rng.gauss(0, 20)
        if rng.random() < 0.07:  # too much light, or light behind
            contrast *= rng.uniform(1.1, 1.5)
            shift += 40
        before, after = (abs(a - b) for a, b in (lumas, [_seen(luma, contrast, shift) for luma in lumas]))
        if after > min(40, 0.6 * before):
            offset = 128 - 128 * contrast + shift
            gain = [contrast * math.exp(colours * rng.gauss(0, 0.05)) for _ in range(3)]
    row = np.tile(np.array(gain, dtype=np.float32), width)
    if rng.random() < 0.4 * colours:
        # from corner to corner
        corners = np.array([1 + 0.17 * colours * rng.gauss(0, 1) for _ in range(4)], dtype=np.float32)
        across = np.repeat(np.linspace(0, 1, width, dtype=np.float32), 3)
        top = row * (corners[0] + (corners[1] - corners[0]) * across)
        bottom = row * (corners[2] + (corners[3] - corners[2]) * across)
        light = np.linspace(0, 1, height, dtype=np.float32)[:, None] * (bottom - top)
        light += top
        values *= light
    elif gain != [1.0, 1.0, 1.0]:
        values *= row
    if grainy < 0.8 * noise:
        deviation = min(noise * 4.5 * math.exp(grain), 3 + 0.15 * abs(lumas[0] - lumas[1]))
        values += _noise(width, height, place, deviation)
    values += np.float32(offset + 0.5)  # the half rounds
    np.maximum(values, np.float32(0), out=values)
    np.minimum(values, np.float32(255), out=values)
    return values.astype(np.uint8).reshape(height, width, 3)


def compressed(pixels: Pixels, quality: float, strength: float) -> Pixels:
    """Written as JPEG and read again; `quality` on 0-1 from the best to the worst, 95 to 25 at full strength."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=round(95 - 70 * strength * quality))
    file.seek(0)
    read: Pixels = np.array(Image.open(file, formats=["JPEG"]))
    return read


def _noise(width: int, height: int, place: tuple[float, float, float], deviation: float) -> Rows:
    """Of one value a pixel, or of one a channel; as fine as the pixels or coarser: a window of a table."""
    table = _tables()[int(place[0] * 3)]
    if height > _HIGH or width > _WIDE:
        table = np.tile(table, (-(-height // _HIGH), -(-width // _WIDE)))
    top = int(place[1] * (table.shape[0] - height + 1))
    left = 3 * int(place[2] * (table.shape[1] // 3 - width + 1))
    window: Rows = table[top : top + height, left : left + 3 * width].astype(np.float32)
    window *= np.float32(deviation / _UNIT)
    return window


@lru_cache(maxsize=1)
def _tables() -> tuple[np.ndarray[tuple[int, int], np.dtype[np.int8]], ...]:
    """Noise of mean 0 and deviation `_UNIT`, (_HIGH, 3 _WIDE), always the same: grey, coloured, grey and coarser."""
    rng = np.random.Generator(np.random.PCG64(20170612))
    fine, colour = (rng.standard_normal((_HIGH, _WIDE, channels)) for channels in (1, 3))
    coarse = (fine + np.roll(fine, 1, 0) + np.roll(fine, 1, 1) + np.roll(fine, 1, (0, 1))) / 2
    drawn = (np.broadcast_to(table, (_HIGH, _WIDE, 3)).reshape(_HIGH, -1) for table in (fine, colour, coarse))
    return tuple(np.clip(np.rint(_UNIT * table), -127, 127).astype(np.int8) for table in drawn)


@lru_cache(maxsize=1)
def _line_kernels() -> tuple[ImageFilter.Kernel, ...]:
    kernels = []
    for right, down in _LINES:
        weights = [0.0] * 25
        for step in range(-2, 3):
            x, y = round(step * right / max(abs(right), abs(down))), round(step * down / max(abs(right), abs(down)))
            weights[5 * (y + 2) + x + 2] += 1
        kernels.append(ImageFilter.Kernel((5, 5), weights))
    return tuple(kernels)


def _seen(luma: float, contrast: float, shift: float) -> float:
    return max(0.0, min(255.0, 128 + contrast * (luma - 128) + shift))
