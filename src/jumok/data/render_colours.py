"""What words are drawn in and on: pairs of colours with a contrast, grounds with shades, textures and edges."""

import math
from functools import lru_cache
from random import Random

from PIL import Image, ImageDraw, ImageOps

Colour = tuple[int, int, int]

_TABLE = 512  # side of a texture
_HUES = (0.0, 0.02, 0.06, 0.1, 0.14, 0.33, 0.45, 0.55, 0.6, 0.63, 0.8, 0.95)  # of signs: reds, yellows and blues lead
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601

BLACK, WHITE = (0, 0, 0), (255, 255, 255)


def luma(colour: Colour) -> float:
    """How bright a colour looks, 0-255."""
    return sum(share * value for share, value in zip(_LUMA, colour, strict=True))


def colour_pair(rng: Random, strength: float) -> tuple[Colour, Colour]:
    """The colours of a word and of its ground; black on white at 0.

    At full strength their luma differs by 90-250 for most, where there is room; for a seventh by 35-80.
    """
    if rng.random() >= strength:
        return BLACK, WHITE
    first = _free_colour(rng)
    here = luma(first)
    wanted = rng.uniform(35, 80) if rng.random() < 0.14 else 90 + 160 * rng.random() ** 0.8
    wanted = min(wanted, max(here, 255 - here))
    darker, brighter = here >= wanted, here + wanted <= 255
    up = rng.random() < 0.5 if darker == brighter else brighter
    target = here + wanted if up else here - wanted
    second = _tinted(rng, target, first)
    if abs(luma(second) - here) < min(40.0, wanted):  # a strong tint has no room near black and white
        second = _grey(target)
    return (first, second) if rng.random() < 0.5 else (second, first)


def near(colour: Colour, rng: Random, most: float) -> Colour:
    """A colour whose channels lie within `most` of those of `colour`, moved together and a little apart."""
    together = rng.uniform(-most, most)
    return _whole(*(value + together + rng.uniform(-most, most) / 3 for value in colour))


def any_colour(rng: Random) -> Colour:
    """Any colour that things in photos have."""
    return _free_colour(rng)


def ground(size: tuple[int, int], colour: Colour, ink: Colour, rng: Random, strength: float) -> Image.Image:
    """An image of `size` for words in `ink`: `colour`, shaded, with a texture or cut by edges of other things."""
    image = Image.new("RGB", size, colour)
    apart = abs(luma(colour) - luma(ink))
    kind = rng.random() / strength if strength else 1.0
    if kind < 0.22:
        corners = Image.new("RGB", (2, 2))
        corners.putdata([near(colour, rng, 0.35 * apart) for _ in range(4)])
        image = corners.resize(size, Image.Resampling.BILINEAR)
    elif kind < 0.5:
        # half as far as the ink at most, so that the texture is not read
        image.paste(near(colour, rng, 10 + 0.5 * apart), mask=texture(size, rng))
    if rng.random() < 0.22 * strength:
        _edges(image, ink, rng)
    return image


def texture(size: tuple[int, int], rng: Random) -> Image.Image:
    """A window of `size` of one of the drawn textures, as a mask."""
    tables = _textures()
    table = tables[int(rng.random() * len(tables))]
    width, height = size
    side = table.size[0]
    if max(size) > side:
        shrunk = max(1, width * side // max(size)), max(1, height * side // max(size))
        return texture(shrunk, rng).resize(size, Image.Resampling.BILINEAR)
    left, top = int(rng.random() * (side - width)), int(rng.random() * (side - height))
    window = table.crop((left, top, left + width, top + height))
    return ImageOps.mirror(window) if rng.random() < 0.5 else window


def _free_colour(rng: Random) -> Colour:
    if rng.random() < 0.55:  # greys, with a tint of the light
        return _tinted_grey(rng, 255 * _leaning(rng))
    hue = _HUES[int(rng.random() * len(_HUES))] + rng.gauss(0, 0.025)
    return _hsv(hue, rng.uniform(0.35, 1.0), math.sqrt(rng.uniform(0.05, 1.0)))


def _leaning(rng: Random) -> float:
    """Brightness on 0-1 that is often near an end."""
    value = rng.random()
    for _ in range(2):
        value = value * value * (3 - 2 * value)
    return value


def _tinted(rng: Random, target: float, first: Colour) -> Colour:
    """A colour of about the luma `target`: grey, or of a hue of its own, or like `first`."""
    kind = rng.random()
    if kind < 0.6:
        return _tinted_grey(rng, target)
    other = first if kind < 0.75 else _hsv(_HUES[int(rng.random() * len(_HUES))], 1.0, 1.0)
    base = luma(other)
    reach = rng.uniform(0.3, 1.0)
    return _whole(*(target + reach * (value - base) for value in other))


def _tinted_grey(rng: Random, value: float) -> Colour:
    warm, green = rng.gauss(0, 6), rng.gauss(0, 3)
    return _whole(value + warm, value + green, value - warm)


def _grey(value: float) -> Colour:
    return _whole(value, value, value)


def _hsv(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = (1 - saturation * max(0.0, min(1.0, 2 - abs((6 * hue + turn) % 6 - 3))) for turn in (3, 1, 5))
    return _whole(255 * value * red, 255 * value * green, 255 * value * blue)


def _whole(red: float, green: float, blue: float) -> Colour:
    return _byte(red), _byte(green), _byte(blue)


def _byte(value: float) -> int:
    return max(0, min(255, round(value)))


def _edges(image: Image.Image, ink: Colour, rng: Random) -> None:
    """The rim of a sign, a rule, a thing behind: drawn near the border of `image`, where the word is not."""
    draw = ImageDraw.Draw(image)
    width, height = image.size
    colour = ink if rng.random() < 0.3 else any_colour(rng)
    reach = max(1.0, rng.uniform(0.03, 0.2) * height)
    slope = rng.gauss(0, 0.06)
    side = int(4 * rng.random())
    if side < 2:  # above or below, the whole width
        y = reach if side == 0 else height - reach
        far = -1 if side == 0 else height
        ends = (0.0, y - slope * width / 2), (float(width), y + slope * width / 2)
        outside = [(width, far), (0, far)]
    else:
        x = reach if side == 2 else width - reach
        far = -1 if side == 2 else width
        ends = (x - slope * height / 2, 0.0), (x + slope * height / 2, float(height))
        outside = [(far, height), (far, 0)]
    if rng.random() < 0.35:
        draw.line(ends, fill=colour, width=1 + int(0.06 * height * rng.random()))
    else:
        draw.polygon([*ends, *outside], fill=colour)


@lru_cache(maxsize=1)
def _textures() -> tuple[Image.Image, ...]:
    """Masks of `_TABLE` pixels a side, always the same: clouds, grain, brushed metal, planks, bricks, spots."""
    rng = Random("the textures of words")

    def noise(width: int, height: int) -> Image.Image:
        rough = Image.frombytes("L", (width, height), rng.randbytes(width * height))
        return rough.resize((_TABLE, _TABLE), Image.Resampling.BICUBIC)

    def clouds(coarsest: int) -> Image.Image:
        mixed = noise(coarsest, coarsest)
        cells = coarsest
        for _ in range(4):
            cells = min(_TABLE, cells * 3)
            mixed = Image.blend(mixed, noise(cells, cells), 0.35)
        return ImageOps.autocontrast(mixed, cutoff=1)

    planks = noise(12, 96)
    bricks = ImageOps.autocontrast(noise(256, 256), cutoff=2)
    draw = ImageDraw.Draw(bricks)
    for row, y in enumerate(range(0, _TABLE, 22)):
        draw.line((0, y, _TABLE, y), fill=250, width=2)
        for x in range(24 * (row % 2), _TABLE, 48):
            draw.line((x, y, x, y + 22), fill=250, width=2)
    spots = clouds(40).point([0] * 150 + [255] * 106)
    return (
        clouds(8),
        clouds(24),
        ImageOps.autocontrast(noise(_TABLE, _TABLE), cutoff=1),
        ImageOps.autocontrast(Image.blend(noise(6, _TABLE), noise(40, 170), 0.5), cutoff=1),
        ImageOps.autocontrast(Image.blend(planks, noise(30, _TABLE), 0.3), cutoff=1),
        bricks,
        spots,
        noise(_TABLE, 10),
    )
