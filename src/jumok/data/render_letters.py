"""The letters of a word as masks: set in a line or stacked, spaced, widened, and with neighbours around them."""

from dataclasses import dataclass
from random import Random

import numpy as np

from jumok.data.fonts import EM, Face, Glyph, Mask

Box = tuple[float, float, float, float]
"""(left, top, right, bottom)."""
Placed = tuple[float, float, Glyph]
"""Where the baseline of a letter starts, and the letter."""

SMALLER = 36  # pixels to the em of letters behind a larger first one; a size more is all glyphs drawn once more

_LATIN, _HANGUL = (
    "aeinorstAEINORST",
    "가나다라마사아이지하",
)  # what neighbours are made of, beside the word's own letters


@dataclass(frozen=True)
class Lettering:
    """Where letters stand on a sheet of `extent` (width, height) that begins at `corner`, before any is drawn.

    `box` holds the ink of the word alone, without its neighbours, on the sheet.
    """

    placed: list[Placed]
    corner: tuple[int, int]
    extent: tuple[int, int]
    box: Box

    def mask(self, stroke: int) -> Mask:
        """All letters, 0-255, their strokes widened by `stroke` pixels to either side; what leaves the sheet is cut."""
        width, height = self.extent
        sheet = np.zeros((height, width), dtype=np.uint8)
        for x, y, glyph in self.placed:
            left, top = round(x) + glyph.box[0] - self.corner[0], round(y) + glyph.box[1] - self.corner[1]
            cut_left, cut_top = max(0, -left), max(0, -top)
            part = glyph.mask[cut_top : max(0, height - top), cut_left : max(0, width - left)]
            if part.size:
                rows, columns = part.shape
                place = sheet[top + cut_top : top + cut_top + rows, left + cut_left : left + cut_left + columns]
                np.maximum(place, part, out=place)
        return widened(sheet, stroke)


def lettering(word: str, face: Face, rng: Random, *, layout: float, stacked: bool, stroke: int, rim: int) -> Lettering:
    """`word` set with `face` at `EM` pixels to the em.

    `layout` (0-1) is how far spacing leaves the font's own and how often neighbours stand around; `stacked` sets the
    letters below each other. The box is that of letters whose strokes are widened by `stroke` pixels; around all
    letters the sheet has `rim` pixels more.
    """
    placed = (_stack if stacked else _line)(word, face, rng, layout)
    left, top, right, bottom = box = _bounds(placed)
    if rng.random() < 0.4 * layout:
        placed = placed + _neighbours(word, face, rng, box)
        room = 0.7 * EM
        left, top, right, bottom = left - room, top - room, right + room, bottom + room
    corner = round(left) - rim, round(top) - rim
    extent = round(right) + rim - corner[0], round(bottom) + rim - corner[1]
    left, right = box[0] - corner[0] - stroke, box[2] - corner[0] + stroke
    top, bottom = box[1] - corner[1] - stroke, box[3] - corner[1] + stroke
    return Lettering(placed, corner, extent, (left, top, right, bottom))


def widened(mask: Mask, stroke: int) -> Mask:
    """Each pixel the brightest within `stroke` pixels, by an octagon: turns of a square and a cross."""
    for turn in range(stroke):
        above = mask.copy()
        np.maximum(above[1:], mask[:-1], out=above[1:])
        np.maximum(above[:-1], mask[1:], out=above[:-1])
        sideways = above if turn % 2 else mask
        result = above.copy()
        np.maximum(result[:, 1:], sideways[:, :-1], out=result[:, 1:])
        np.maximum(result[:, :-1], sideways[:, 1:], out=result[:, :-1])
        mask = result
    return mask


def _line(word: str, face: Face, rng: Random, layout: float) -> list[Placed]:
    spacing, waving, leading = rng.random(), rng.random(), rng.random()
    gap = 0.0
    if spacing < 0.35 * layout:
        gap = rng.uniform(-0.03, 0.12) * EM
    elif spacing < 0.5 * layout:
        gap = rng.uniform(0.1, 0.6) ** 1.5 * EM
    wave = rng.uniform(0.02, 0.1) * EM if waving < 0.06 * layout else 0.0
    larger = leading < 0.06 * layout and len(word) > 1 and word.isupper()
    placed = _set(word, face, 0.0, 0.0, gap, SMALLER if larger else EM)
    return [(x, rng.uniform(-wave, wave), glyph) for x, _, glyph in placed] if wave else placed


def _set(text: str, face: Face, x: float, y: float, gap: float = 0.0, later: int = EM) -> list[Placed]:
    """`text` from (x, y) on, its letters `gap` pixels further apart than usual, from the second on of size `later`."""
    placed: list[Placed] = []
    for place, char in enumerate(text):
        glyph = face.glyph(char, later if place else EM)
        placed.append((x, y, glyph))
        x += glyph.advance + gap
    return placed


def _stack(word: str, face: Face, rng: Random, layout: float) -> list[Placed]:
    gap = (0.12 + 0.3 * layout * rng.random() ** 2) * EM
    placed: list[Placed] = []
    y = 0.0
    for char in word:
        if char.isspace():
            y += 0.5 * EM
            continue
        glyph = face.glyph(char, EM)
        left, top, right, bottom = glyph.box
        # a letter such as "-" or "." keeps about its place in a line of its own
        above = min(top, -0.5 * EM)
        placed.append((-(left + right) / 2, y - above, glyph))
        y += max(bottom, 0) - above + gap
    return placed


def _neighbours(word: str, face: Face, rng: Random, box: Box) -> list[Placed]:
    """Pieces of other words left and right of `box`, and of the lines above and below."""
    left, top, right, bottom = box
    own = dict.fromkeys(char for char in word if not char.isspace())
    hangul = any("가" <= char <= "힣" for char in word)
    common = [char for char in (_HANGUL if hangul else _LATIN) if hangul or char.isupper() == word.isupper()]
    pool = [*own, *(char for char in common if face.draws(char))]

    def piece(length: int) -> str:
        return "".join(pool[int(rng.random() * len(pool))] for _ in range(length))

    placed: list[Placed] = []
    baseline = 0.0 if top < 0 <= bottom else bottom
    if rng.random() < 0.4:
        text = piece(2)
        long = sum(face.glyph(char, EM).advance for char in text)
        placed += _set(text, face, left - rng.uniform(0.2, 0.45) * EM - long, baseline)
    if rng.random() < 0.4:
        placed += _set(piece(2), face, right + rng.uniform(0.2, 0.45) * EM, baseline)
    length = max(2, round((right - left) / (0.5 * EM)))
    for above in (True, False):
        if rng.random() < 0.45:
            line = _set(piece(length), face, left + rng.uniform(-1.0, 0.5) * EM, 0.0)
            ink = _bounds(line)
            apart = rng.uniform(0.08, 0.4) * EM
            y = top - apart - ink[3] if above else bottom + apart - ink[1]
            placed += [(x, y, glyph) for x, _, glyph in line]
    return placed


def _bounds(placed: list[Placed]) -> Box:
    """The ink of all letters."""
    boxes = [(x, y, glyph.box) for x, y, glyph in placed if glyph.mask.size]
    return (
        min([x + box[0] for x, _, box in boxes]),
        min([y + box[1] for _, y, box in boxes]),
        max([x + box[2] for x, _, box in boxes]),
        max([y + box[3] for _, y, box in boxes]),
    )
