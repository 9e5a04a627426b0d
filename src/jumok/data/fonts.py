"""Fonts to draw words with: found in a folder or on the system, and which characters each of them really has."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from jumok.errors import UserError

try:
    from fontTools.ttLib import TTCollection, TTFont  # type: ignore[import-untyped]
    from PIL import Image, ImageDraw, ImageFont
except ModuleNotFoundError as error:
    raise UserError("drawing words needs Pillow and fonttools: pip install 'jumok[images]'") from error

SYSTEM = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path.home() / ".local/share/fonts",
    Path.home() / ".fonts",
    Path("/Library/Fonts"),
    Path("/System/Library/Fonts"),
    Path(os.environ.get("WINDIR", "C:\\Windows")) / "Fonts",
)
ENDINGS = {".ttf", ".otf", ".ttc", ".otc"}
EM = 48  # pixels to the em that letters are drawn at, and compared

_OUTLINES = ("glyf", "CFF ", "CFF2")  # tables of shapes; a font of bitmaps alone cannot be drawn at any size
_SYMBOLS = 5  # the "family type" of Greek or ornaments in the place of Latin letters (PANOSE)
_DIFFER = "aegrqdbh"  # letters whose small form is no small capital
_PLAIN = "ABDEFGHKLMNPRSTUXYZ23457"  # letters of about one shape in every hand
_SLANTS = (0.0, 0.18, 0.33)  # of letters: upright, italic, of a hurried hand
_LETTERS = 0.12  # likeness to a plain font below which "letters" are ornaments, boxes or outlines of outlines
_MIXED = 0.33  # likeness to a capital, less that to a small letter, that leaves no doubt
_KEPT = 1024  # open fonts, for each face and size
_GLYPHS = 1 << 16  # drawn letters that are kept, 1 or 2 KB each

Font = ImageFont.FreeTypeFont
Mask = np.ndarray[tuple[int, int], np.dtype[np.uint8]]
Square = np.ndarray[tuple[int, int], np.dtype[np.float64]]


@dataclass(frozen=True)
class Glyph:
    """A letter's mask (h, w) of 0-255, its `box` around the start of the baseline, the way to the next letter."""

    mask: Mask
    box: tuple[int, int, int, int]
    advance: float


@dataclass(frozen=True)
class Face:
    """One face of a font file: `number` within a collection, family and style by its own name table.

    `characters` are those that it draws as themselves: a face of capitals alone has no small letters.
    """

    path: Path
    number: int
    family: str
    style: str
    characters: frozenset[str] = field(repr=False)

    def glyph(self, char: str, size: int) -> Glyph:
        """`char` at `size` pixels to the em."""
        return _glyph(str(self.path), self.number, char, size)

    def draws(self, text: str) -> bool:
        """Whether each character of `text` is there and leaves ink; a space need not."""
        return all(char in self.characters and (char.isspace() or self.glyph(char, EM).mask.size > 0) for char in text)


def find_fonts(folder: Path | None = None) -> list[Path]:
    """Font files (TTF, OTF, TTC) below `folder`, or of the system; in the order of their names.

    Raises `UserError` where the folder is missing or holds none.
    """
    if folder is not None and not folder.is_dir():
        raise UserError(f"{folder} is no folder of fonts; give one that holds .ttf, .otf or .ttc files")
    places = SYSTEM if folder is None else (folder,)
    found = {path for place in places if place.is_dir() for path in place.rglob("*") if path.suffix.lower() in ENDINGS}
    if not found:
        where = "this system has no fonts" if folder is None else f"{folder} holds no fonts (.ttf, .otf, .ttc)"
        raise UserError(f"{where}; install some, for example `apt-get install fonts-dejavu fonts-nanum`")
    return sorted(found)


def read_faces(paths: Sequence[Path]) -> tuple[list[Face], dict[Path, str]]:
    """Every face in the files `paths` that has letters, and why a file was left out."""
    faces: list[Face] = []
    left_out: dict[Path, str] = {}
    known: dict[frozenset[str], frozenset[str]] = {}  # faces of one family mostly share their characters
    for path in paths:
        try:
            inside = [face for number in range(_count(path)) if (face := _face(path, number, known)) is not None]
        except Exception as error:  # of damaged files fontTools and FreeType raise nearly everything
            left_out[path] = f"not readable as a font ({' '.join(str(error).split()) or type(error).__name__})"
            continue
        if not inside:
            left_out[path] = "no letters in it"
        faces += inside
    return faces, left_out


def _count(path: Path) -> int:
    if path.suffix.lower() not in (".ttc", ".otc"):
        return 1
    with open(path, "rb") as file, TTCollection(file, lazy=True) as collection:
        return len(collection.fonts)


def _face(path: Path, number: int, known: dict[frozenset[str], frozenset[str]]) -> Face | None:
    with open(path, "rb") as file, TTFont(file, lazy=True, fontNumber=number) as tables:
        if not any(name in tables for name in _OUTLINES) or "cmap" not in tables:
            return None
        if "OS/2" in tables and tables["OS/2"].panose.bFamilyType == _SYMBOLS:
            return None
        tables.setGlyphOrder(list(range(tables["maxp"].numGlyphs)))  # numbers: reading their names would take longest
        glyphs = tables["cmap"].getBestCmap() or {}
    # glyph 0 is the missing one; there may be 20,000 characters in each of many faces, so equal strings are one
    characters = frozenset(sys.intern(chr(code)) for code, glyph in glyphs.items() if glyph)
    if not characters:
        return None
    font = _opened(str(path), number, EM)
    if not _has_letters(font, characters):
        return None
    family, style = font.getname()
    absent = _absent_case(font, characters)
    if absent is not None:
        characters = frozenset(char for char in characters if not absent(char))
    return Face(path, number, family or path.stem, style or "", known.setdefault(characters, characters))


@lru_cache(maxsize=_KEPT)
def _opened(path: str, number: int, size: int) -> Font:
    # the basic layout: one glyph a character, whatever was built into Pillow
    return ImageFont.truetype(path, size, index=number, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=_GLYPHS)
def _glyph(path: str, number: int, char: str, size: int) -> Glyph:
    return _drawn(_opened(path, number, size), char, size)


def _drawn(font: Font, char: str, size: int) -> Glyph:
    """`char` on a sheet with room around it, cut to its ink; a letter that is larger than that is cut too."""
    advance = font.getlength(char)
    left, baseline = size, 2 * size
    sheet = Image.new("L", (round(advance) + 2 * left, 3 * size))
    ImageDraw.Draw(sheet).text((left, baseline), char, font=font, fill=255, anchor="ls")
    box = sheet.getbbox()
    if box is None:
        return Glyph(np.zeros((0, 0), dtype=np.uint8), (0, 0, 0, 0), advance)
    mask: Mask = np.array(sheet.crop(box))
    return Glyph(mask, (box[0] - left, box[1] - baseline, box[2] - left, box[3] - baseline), advance)


def _has_letters(font: Font, characters: frozenset[str]) -> bool:
    """Whether the Latin letters look like such, upright or slanted; True where there are none."""
    letters = [char for char in _PLAIN if char in characters]
    if not letters:
        return True
    drawn = [_stretched(font, char) for char in letters]
    slanted = [[_plain(char, slant) for char in letters] for slant in _SLANTS]
    return max(float(np.median(list(map(_likeness, drawn, plain)))) for plain in slanted) >= _LETTERS


def _absent_case(font: Font, characters: frozenset[str]) -> Callable[[str], bool] | None:
    """Which letters a face of one case lacks: with capitals alone the small ones, whatever their size."""
    letters = [char for char in _DIFFER if char in characters and char.upper() in characters]
    small, capital = ([_stretched(font, char) for char in some] for some in (letters, map(str.upper, letters)))
    alike = sum(map(_likeness, small, capital))
    if alike <= 0.8 * len(letters):
        return None
    as_capital = [
        _likeness(drawn, _plain(char.upper())) - _likeness(drawn, _plain(char))
        for char, drawn in zip(letters, capital, strict=True)
    ]
    if min(as_capital) < -_MIXED and max(as_capital) > _MIXED:
        return str.isalpha  # some as capitals, some as small letters: which it is cannot be seen
    return str.islower if sum(as_capital) > 0 else str.isupper


def _likeness(one: Square, other: Square) -> float:
    """Correlation of two letters, each stretched over the same square; 0 where one of them is blank."""
    return float((one * other).sum())


@lru_cache(maxsize=1024)
def _plain(char: str, slant: float = 0.0) -> Square:
    """A letter of the font that Pillow carries, a plain sans, its top moved right by `slant` of its height."""
    font = ImageFont.load_default(EM)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise UserError("this Pillow was built without FreeType and draws no fonts; pip install pillow brings one")
    return _stretched(font, char, slant)


def _stretched(font: Font, char: str, slant: float = 0.0) -> Square:
    """`char` over a square of 16 x 16 pixels, of mean 0 and length 1; zeros where it is blank."""
    mask = Image.fromarray(_drawn(font, char, EM).mask)
    width, height = mask.size
    if not width:
        return np.zeros((16, 16))
    if slant:
        wider = round(width + slant * height), height
        mask = mask.transform(wider, Image.Transform.AFFINE, (1, slant, -slant * height, 0, 1, 0))
    values = np.asarray(mask.resize((16, 16), Image.Resampling.BOX), dtype=np.float64)
    centred = values - values.mean()
    length = np.sqrt((centred**2).sum())
    result: Square = centred / length if length else centred
    return result
