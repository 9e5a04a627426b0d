"""How letters stand out: an outline, a shadow, thickness, a raised edge, a glow; laid on a ground layer by layer."""

import math
from dataclasses import dataclass
from random import Random
from typing import Literal

from PIL import Image, ImageChops, ImageFilter

from jumok.data.render_colours import BLACK, WHITE, Colour, any_colour, luma, near, texture

Kind = Literal["plain", "outline", "hollow", "shadow", "block", "raised", "glow"]

# chances at full strength; the rest is plain
_CHANCES: tuple[tuple[Kind, float], ...] = (
    ("outline", 0.09),
    ("hollow", 0.025),
    ("shadow", 0.13),
    ("block", 0.05),
    ("raised", 0.05),
    ("glow", 0.045),
)


@dataclass(frozen=True)
class Decoration:
    """What is drawn beside the letters' fill.

    `widen` and `bold` add to the strokes, in em; `shift` (right, down) moves what lies below, in heights of a letter;
    `soft` blurs it, by the same measure.
    """

    kind: Kind = "plain"
    widen: float = 0.0
    bold: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    soft: float = 0.0


def decoration(rng: Random, strength: float) -> Decoration:
    """A kind of decoration and its measures; plain at strength 0. Takes as many numbers of `rng` whatever it is."""
    thick, thicker, left = rng.random(), rng.uniform(0.015, 0.05), rng.random()
    angle, far, widen, soft = rng.uniform(0, 2 * math.pi), rng.uniform(0.04, 0.14), rng.random(), rng.random()
    bold = thicker if thick < 0.18 * strength else 0.0
    left = left / strength if strength else 1.0
    kind: Kind = "plain"
    for name, chance in _CHANCES:
        if left < chance:
            kind = name
            break
        left -= chance
    if kind == "raised":
        far = 0.05
    return Decoration(
        kind=kind,
        widen=0.03 + 0.06 * widen + bold if kind in ("outline", "hollow") else 0.0,
        bold=bold,
        shift=(far * math.cos(angle), far * math.sin(angle)),
        soft=0.08 * soft if kind == "shadow" else 0.08 + 0.17 * soft if kind == "glow" else 0.0,
    )


def compose(
    ground: Image.Image,
    fill: Image.Image,
    wide: Image.Image | None,
    decoration: Decoration,
    colours: tuple[Colour, Colour],
    height: float,
    rng: Random,
    strength: float,
) -> Image.Image:
    """The letters `fill` with their decoration on `ground`, which is changed and returned.

    `wide` is the mask of the widened strokes; `colours` are those of letters and ground, `height` pixels a letter;
    `strength` (0-1) is how often the fill has shades or a texture of its own.
    """
    ink, back = colours
    dark_ink = luma(ink) < luma(back)
    right, down = (round(height * part) for part in decoration.shift)
    kind = decoration.kind
    if kind == "shadow":
        below = _moved(fill, right or 1, down or 1)
        if decoration.soft * height > 0.4:
            below = below.filter(ImageFilter.GaussianBlur(decoration.soft * height))
        ground.paste(near(back, rng, 30) if dark_ink else BLACK, mask=below.point(_scaled(rng.uniform(0.4, 1.0))))
    elif kind == "block":
        side = _toward(ink, back, rng.uniform(0.3, 0.7))
        steps = max(1, abs(right), abs(down))
        for step in range(steps, 0, -1):
            ground.paste(side, mask=_moved(fill, round(right * step / steps), round(down * step / steps)))
    elif kind == "raised":
        lit, dark = _toward(back, WHITE, 0.7), _toward(back, BLACK, 0.7)
        right, down = right or 1, down or 1
        ground.paste(lit, mask=_moved(fill, right, down))
        ground.paste(dark, mask=_moved(fill, -right, -down))
    elif kind == "glow":
        halo = fill.filter(ImageFilter.GaussianBlur(max(1.0, decoration.soft * height)))
        ground.paste(_toward(ink, back, 0.2), mask=halo.point(_scaled(rng.uniform(0.5, 1.0))))
    elif wide is not None:
        # an outline of another luma than the letters; hollow letters are their outline
        if kind == "outline":
            border = any_colour(rng) if rng.random() < 0.4 else BLACK if luma(ink) > 128 else WHITE
            ground.paste(border, mask=wide)
        else:
            fill = ImageChops.subtract(wide, fill)
    if rng.random() < 0.12 * strength:
        ground.paste(_textured(ink, back, ground.size, rng), mask=fill)
    else:
        ground.paste(ink, mask=fill)
    return ground


def _textured(ink: Colour, back: Colour, size: tuple[int, int], rng: Random) -> Image.Image:
    """`ink` with shades: never nearer to the ground than half way."""
    reach = 0.4 * abs(luma(ink) - luma(back))
    inside = Image.new("RGB", size, ink)
    if rng.random() < 0.5:
        shade = Image.linear_gradient("L").resize(size)
        inside.paste(near(ink, rng, reach + 20), mask=shade)
    else:
        inside.paste(near(ink, rng, reach), mask=texture(size, rng))
    return inside


def _moved(mask: Image.Image, right: int, down: int) -> Image.Image:
    sheet = Image.new("L", mask.size)
    sheet.paste(mask, (right, down))
    return sheet


def _toward(colour: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def _scaled(factor: float) -> list[int]:
    return [round(factor * value) for value in range(256)]
