"""Words as they look in photos, drawn from fonts: training data for readers, a pure function of (word, numbers)."""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageChops
from pydantic import Field

from jumok.config import Config
from jumok.data.fonts import EM, Face, read_faces
from jumok.data.image_file import Pixels
from jumok.data.render_colours import colour_pair, ground, luma
from jumok.data.render_decoration import Decoration, compose, decoration
from jumok.data.render_letters import Box, Lettering, lettering
from jumok.data.render_photo import blurred, compressed, exposed
from jumok.data.render_plane import View, framed, view
from jumok.errors import UserError

WIDEST = 640  # pixels of a crop's longer side
_TRIES = 12  # families drawn for a word before all of them are looked through
_SMALL, _LARGE = 10, 38  # pixels that the ink of a word is high
_LEAST = 8  # the same at low resolution
_DENSE = 1.5  # how much more of them a syllable of Hangul or a Chinese character needs to be read
_CAPITAL = 0.72  # height of a capital, in em
_HALF = 0.55  # scale below which letters are shrunk before they are seen
_PRESSED = 0.45  # share of pictures that were JPEG


class RenderOptions(Config):
    """How far drawn words are from black on white; 1 is as hard as photos get, 0 is off."""

    perspective: float = Field(1.0, ge=0, le=1, description="turned, slanted, narrowed and seen from the side")
    curve: float = Field(1.0, ge=0, le=1, description="how often words are set on a circle")
    layout: float = Field(1.0, ge=0, le=1, description="spacing, margins, crops that cut into letters or neighbours")
    colours: float = Field(1.0, ge=0, le=1, description="colours, textures and light; some of little contrast")
    decoration: float = Field(1.0, ge=0, le=1, description="shadows, outlines, raised and hollow letters")
    blur: float = Field(1.0, ge=0, le=1, description="out of focus, moved, of low resolution")
    noise: float = Field(1.0, ge=0, le=1, description="the sensor's noise and JPEG's")
    vertical: float = Field(0.0, ge=0, le=1, description="share of words set downward: letters stacked, or turned")


class WordRenderer:
    """Draws words with every font that has their characters.

    `renderer(word, numbers)` gives uint8 (H, W, 3) of any size, and the same whenever it is called with the same word,
    numbers, font files and options: nothing else is looked at, no random state is kept. (FreeType and libjpeg inside
    Pillow and the tables of noise of numpy decide the last bit; other versions of them may draw slightly otherwise.)
    It may be used by several threads, and sent to other processes.

    `left_out` says which font files are no use, and why.
    """

    def __init__(self, fonts: Sequence[Path], options: RenderOptions | None = None) -> None:
        self.options = RenderOptions.model_validate({}) if options is None else options
        faces, self.left_out = read_faces(fonts)
        if not faces:
            reasons = "".join(f"; {path}: {reason}" for path, reason in list(self.left_out.items())[:3])
            raise UserError(f"no font to draw words with{reasons}; give other fonts (.ttf, .otf, .ttc)")
        families: dict[str, list[Face]] = {}
        for face in faces:
            families.setdefault(face.family, []).append(face)
        self.families = tuple(tuple(families[name]) for name in sorted(families))

    def __call__(self, word: str, numbers: tuple[int, ...]) -> Pixels:
        """The picture of `word` that belongs to `numbers`, for example (seed, epoch, index).

        Raises `UserError` where no single font has all characters of `word`, or they need shaping.
        """
        word = drawable(word)
        key = f"{numbers} {word}"
        return _picture(self._plan(word, key), self.options, key)

    def aspect(self, word: str, numbers: tuple[int, ...]) -> float:
        """Width / height of the picture that the same call gives, without drawing it."""
        word = drawable(word)
        width, height = self._plan(word, f"{numbers} {word}").seen.size
        return width / height

    def missing(self, word: str) -> str:
        """Why `word` cannot be drawn; empty where it can."""
        try:
            self._face(drawable(word), Random(0))
        except UserError as error:
            return str(error)
        return ""

    def _plan(self, word: str, key: str) -> "_Plan":
        rng = Random(f"{key} letters")
        return _plan(word, self._face(word, rng), self.options, rng, Random(f"{key} view"))

    def _face(self, word: str, rng: Random) -> Face:
        """A family, then one of its faces, that has every character of `word`."""
        for _ in range(_TRIES):
            family = self.families[int(rng.random() * len(self.families))]
            face = family[int(rng.random() * len(family))]
            if face.draws(word):
                return face
        able = [face for family in self.families for face in family if face.draws(word)]
        if able:
            return able[int(rng.random() * len(able))]
        faces = [face for family in self.families for face in family]
        nowhere = [char for char in dict.fromkeys(word) if not any(face.draws(char) for face in faces)]
        if nowhere:
            which = f"no font has {_named(nowhere)}"
        else:
            best = max(faces, key=lambda face: sum(face.draws(char) for char in word))
            lacking = [char for char in dict.fromkeys(word) if not best.draws(char)]
            which = f"no single font has all its characters ({best.family} lacks {_named(lacking)})"
        raise UserError(f"cannot draw {word!r}: {which}; leave it out, or add a font that has them")


def drawable(word: str) -> str:
    """`word` in NFC. Raises `UserError` where it is empty or needs shaping, which is not done here."""
    word = unicodedata.normalize("NFC", word)
    if not word.strip():
        raise UserError("an empty word cannot be drawn; leave it out")
    shaped = [
        char
        for char in dict.fromkeys(word)
        if not char.isascii()
        and (unicodedata.bidirectional(char) in ("R", "AL") or unicodedata.category(char) in ("Mn", "Mc", "Me"))
    ]
    if shaped:
        raise UserError(
            f"cannot draw {word!r}: {_named(shaped)} would need right-to-left text or combining marks, "
            "which the renderer does not set; leave it out"
        )
    return word


def distort(pixels: Pixels, strength: float, numbers: tuple[int, ...]) -> Pixels:
    """A real crop (H, W, 3) as another photo of it: seen and cut otherwise, in other light, blurred, noisy.

    A pure function of its arguments; at `strength` 0 the pixels as they are.
    """
    if not strength:
        return pixels
    rng = Random(f"{numbers} distort")
    image = Image.fromarray(pixels)
    width, height = image.size
    if rng.random() < 0.7:
        seen = view((0, 0, width, height), 1.0, rng, perspective=0.7 * strength, curve=0.0, turn=0.0)
        cut = [strength * height * rng.uniform(-0.08, 0.06) for _ in range(4)]
        seen = framed(seen, (0, 0, width, height), (cut[0], cut[1], cut[2], cut[3]), WIDEST)
        image = _seen_again(image, seen)
    if rng.random() < 0.08 * strength:  # letters stay letters in other colours
        image = ImageChops.invert(image)
    if rng.random() < 0.15 * strength:
        red, green, blue = image.split()
        image = Image.merge("RGB", (blue, green, red) if rng.random() < 0.5 else (green, red, blue))
    if rng.random() < 0.15 * strength:
        small = max(4, round(width * 0.6)), max(4, round(height * 0.6))
        image = image.resize(small, Image.Resampling.BILINEAR)
    dark, bright = np.percentile(np.asarray(image.convert("L")), (10, 90)).tolist()
    image = blurred(image, 0.7 * min(image.size), rng, 0.6 * strength)
    changed = exposed(image, (dark, bright), rng, 0.7 * strength, 0.6 * strength)
    return compressed(changed, rng.random(), 0.6 * strength) if rng.random() < _PRESSED * strength else changed


def _seen_again(image: Image.Image, seen: View) -> Image.Image:
    """`image` under `seen`, its border continued outward where the view reaches beyond it."""
    room = max(image.size) // 4 + 2
    wider = Image.fromarray(np.pad(np.asarray(image), ((room, room), (room, room), (0, 0)), mode="edge"))
    return replace(seen, middle=(seen.middle[0] + room, seen.middle[1] + room)).warp(wider)


def _named(characters: Sequence[str]) -> str:
    """Up to ten characters with their code points."""
    names = [f"{char!r} (U+{ord(char):04X})" for char in characters[:10]]
    more = f" and {len(characters) - 10:,} more" if len(characters) > 10 else ""
    return ", ".join(names) + more


@dataclass(frozen=True)
class _Plan:
    """What is settled of a picture before a pixel of it is drawn: the letters, how they are seen, the finer measures.

    `halved` letters are shrunk first, for the view alone would skip pixels. `height` is that of a letter in pixels,
    `fine` that of a Latin one that is as hard to read; `coarse` times the size of the picture is what it is drawn at.
    """

    letters: Lettering
    halved: bool
    seen: View
    extra: Decoration
    bold: int
    widen: int
    height: float
    fine: float
    coarse: float

    def mask(self, stroke: int) -> Image.Image:
        """The letters as they are seen, their strokes widened."""
        drawn = Image.fromarray(self.letters.mask(stroke))
        return self.seen.warp(drawn.reduce(2) if self.halved else drawn)


def _plan(word: str, face: Face, options: RenderOptions, style: Random, seeing: Random) -> _Plan:
    """Each stage draws from a stream of its own, or as many numbers whatever its strength: it changes no other."""
    extra = decoration(seeing, options.decoration)
    dense = _DENSE if any(unicodedata.east_asian_width(char) == "W" for char in word) else 1.0
    height = _SMALL * dense * (_LARGE / (_SMALL * dense)) ** seeing.random()
    coarse, how_coarse = seeing.random(), seeing.uniform(0.4, 0.8)
    drawn_height = max(_LEAST * dense, height * how_coarse) if coarse < 0.2 * options.blur else height
    downward, stacked, upward = (style.random() for _ in range(3))
    stack = downward < options.vertical and stacked < 0.6
    turn = 0.0 if stack or downward >= options.vertical else math.copysign(math.pi / 2, upward - 0.5)
    bold, widen = round(extra.bold * EM), max(1, round(extra.widen * EM)) if extra.widen else 0
    letters = lettering(word, face, style, layout=options.layout, stacked=stack, stroke=bold, rim=2 + max(bold, widen))
    # small letters alone are cut tightly too, but a full stop does not fill the picture
    tall = _CAPITAL * EM if stack else max(letters.box[3] - letters.box[1], 0.5 * EM)
    scale = drawn_height / tall
    halved = scale < _HALF
    left, top, right, bottom = (side / 2 if halved else side for side in letters.box)
    box = left, top, right, bottom
    seen = view(
        box,
        2 * scale if halved else scale,
        seeing,
        perspective=options.perspective,
        curve=0.0 if stack else options.curve,
        turn=turn,
        squeeze=math.exp(options.layout * seeing.gauss(0, 0.15)),
    )
    seen = framed(seen, box, _margins(seeing, drawn_height, options.layout), WIDEST)
    return _Plan(letters, halved, seen, extra, bold, widen, drawn_height, drawn_height / dense, drawn_height / height)


def _picture(plan: _Plan, options: RenderOptions, key: str) -> Pixels:
    colouring, taking = (Random(f"{key} {stage}") for stage in ("colours", "photo"))
    pressed, quality = taking.random(), taking.random()
    fill = plan.mask(plan.bold)
    wide = plan.mask(plan.widen) if plan.widen else None
    colours = colour_pair(colouring, options.colours)
    back = ground(plan.seen.size, colours[1], colours[0], colouring, options.colours)
    image = compose(back, fill, wide, plan.extra, colours, plan.height, colouring, options.colours)
    image = blurred(image, plan.fine, taking, options.blur)
    pixels = exposed(image, (luma(colours[0]), luma(colours[1])), taking, options.colours, options.noise)
    if plan.coarse < 1:
        width, height = (round(side / plan.coarse) for side in image.size)
        pixels = np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))
    return compressed(pixels, quality, options.noise) if pressed < _PRESSED * options.noise else pixels


def _margins(rng: Random, height: float, layout: float) -> Box:
    """Left, top, right and bottom in pixels: about a tenth of the height, some wide, some cut into the letters."""
    sides = [
        0.1 + layout * (rng.uniform(-0.15, 0.18) + (rng.uniform(0, 0.4) if rng.random() < 0.15 else 0.0))
        for _ in range(4)
    ]
    return sides[0] * height, sides[1] * height, sides[2] * height, sides[3] * height
