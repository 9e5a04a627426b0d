"""Fonts for the tests: built on the spot, with just the characters that a test is about, or found on the system."""

from collections.abc import Mapping
from pathlib import Path

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

from jumok.data.fonts import SYSTEM

EM = 1000


def box_font(path: Path, characters: Mapping[str, str], family: str = "Boxes") -> Path:
    """A font with a box of its own height for each character; ``blank`` has no ink, ``none`` the missing glyph."""
    names = {char: f"u{ord(char):04X}" for char, kind in characters.items() if kind != "none"}
    glyphs = {".notdef": _box(200), "space": _box(0)}
    for place, (char, name) in enumerate(names.items()):
        glyphs[name] = _box(0 if characters[char] == "blank" else 300 + 40 * place)
    font = FontBuilder(EM, isTTF=True)
    font.setupGlyphOrder(list(glyphs))
    font.setupCharacterMap({32: "space"} | {ord(char): names.get(char, ".notdef") for char in characters})
    font.setupGlyf(glyphs)
    font.setupHorizontalMetrics(dict.fromkeys(glyphs, (700, 50)))
    font.setupHorizontalHeader(ascent=900, descent=-200)
    font.setupNameTable({"familyName": family, "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(path)
    return path


def remapped(path: Path, source: Path, changes: Mapping[str, str], family: str) -> Path:
    """A copy of the font `source` in which each character of `changes` looks like another."""
    with TTFont(source) as font:
        glyphs = font.getBestCmap()
        for table in font["cmap"].tables:
            for char, other in changes.items():
                if ord(char) in table.cmap:
                    table.cmap[ord(char)] = glyphs[ord(other)]
        font["name"].setName(family, 1, 3, 1, 0x409)
        font.save(path)
    return path


def system_font(name: str) -> Path:
    """A file of the Debian packages that a test says it needs."""
    return next(found for folder in SYSTEM for found in folder.rglob(name))


def _box(height: int) -> object:
    pen = TTGlyphPen(None)
    if height:
        pen.moveTo((50, 0))
        for point in ((50, height), (600, height), (600, 0)):
            pen.lineTo(point)
        pen.closePath()
    return pen.glyph()
