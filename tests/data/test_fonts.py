"""Fonts: which files are taken, and which characters of them are really drawn."""

import string
from pathlib import Path

import numpy as np
import pytest
from fontTools.ttLib import TTCollection, TTFont
from tests.data.typefaces import box_font, remapped, system_font

from jumok.data.fonts import find_fonts, read_faces
from jumok.errors import UserError


def test_font_files_of_a_folder_are_found_in_order(tmp_path: Path) -> None:
    for name in ("b.ttf", "a/z.OTF", "a/c.ttc", "readme.txt", "d.pfb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_fonts(tmp_path) == [tmp_path / "a/c.ttc", tmp_path / "a/z.OTF", tmp_path / "b.ttf"]


def test_a_folder_without_fonts_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no fonts .*apt-get install fonts-dejavu fonts-nanum"):
        find_fonts(tmp_path)
    with pytest.raises(UserError, match="nowhere is no folder of fonts"):
        find_fonts(tmp_path / "nowhere")


def test_a_character_counts_only_with_ink_of_its_own(tmp_path: Path) -> None:
    path = box_font(tmp_path / "f.ttf", {"가": "box", "나": "box", "다": "blank", "라": "none"})
    (face,), left_out = read_faces([path])
    assert (face.family, left_out) == ("Boxes", {})
    assert face.draws("가나")
    assert face.draws("가 나")
    for lacking in "다라마":
        assert not face.draws(f"가{lacking}")


def test_glyphs_are_their_ink(tmp_path: Path) -> None:
    ((face, *_), _) = read_faces([box_font(tmp_path / "f.ttf", {"가": "box"})])
    glyph = face.glyph("가", 50)
    left, top, right, bottom = glyph.box
    assert glyph.mask.shape == (bottom - top, right - left)
    assert (bottom, glyph.advance) == (0, 35.0)
    assert abs((right - left) - 0.55 * 50) <= 1
    assert abs((bottom - top) - 0.3 * 50) <= 1
    assert glyph.mask.max() == 255


def test_every_face_of_a_collection_is_read(tmp_path: Path) -> None:
    collection = TTCollection()
    for family in ("One", "Two"):
        collection.fonts.append(TTFont(box_font(tmp_path / f"{family}.ttf", {"가": "box"}, family)))
    collection.save(tmp_path / "both.ttc")
    faces, left_out = read_faces([tmp_path / "both.ttc"])
    assert [(face.family, face.number) for face in faces] == [("One", 0), ("Two", 1)]
    assert not left_out
    assert all(face.draws("가") for face in faces)


def test_files_that_are_no_fonts_are_left_out_with_a_reason(tmp_path: Path) -> None:
    good = box_font(tmp_path / "good.ttf", {"가": "box"})
    cut, empty, missing = (tmp_path / name for name in ("cut.ttf", "empty.otf", "missing.ttf"))
    cut.write_bytes(good.read_bytes()[:200])
    empty.touch()
    faces, left_out = read_faces([cut, good, empty, missing])
    assert [face.path for face in faces] == [good]
    assert list(left_out) == [cut, empty, missing]
    assert all("not readable as a font" in reason for reason in left_out.values())


@pytest.mark.system("fonts-dejavu")
def test_capitals_in_the_place_of_small_letters_are_not_small_letters(tmp_path: Path) -> None:
    plain = system_font("DejaVuSans.ttf")
    capitals = dict(zip(string.ascii_lowercase, string.ascii_uppercase, strict=True))
    path = remapped(tmp_path / "caps.ttf", plain, capitals, "Capitals")
    (face, whole), _ = read_faces([path, plain])
    assert face.draws("ABC 123")
    assert not any(face.draws(letter) for letter in string.ascii_lowercase)
    assert whole.draws(string.ascii_letters + string.digits + string.punctuation)


@pytest.mark.system("fonts-dejavu")
def test_letters_of_no_certain_case_are_no_letters(tmp_path: Path) -> None:
    mixed = {char: char.lower() if char in "aeAE" else char.upper() for char in string.ascii_letters}
    (face,), _ = read_faces([remapped(tmp_path / "m.ttf", system_font("DejaVuSans.ttf"), mixed, "Mixed")])
    assert face.draws("123")
    assert not any(face.draws(letter) for letter in string.ascii_letters)


@pytest.mark.system("fonts-dejavu")
def test_ornaments_in_the_place_of_letters_are_no_font_for_words(tmp_path: Path) -> None:
    ornaments = {char: chr(0x25A0 + place) for place, char in enumerate(string.ascii_letters + string.digits)}
    path = remapped(tmp_path / "o.ttf", system_font("DejaVuSans.ttf"), ornaments, "Ornaments")
    assert read_faces([path]) == ([], {path: "no letters in it"})


@pytest.mark.system("fonts-nanum")
def test_hangul_letters_differ_from_each_other() -> None:
    (face,), _ = read_faces([system_font("NanumGothic.ttf")])
    assert face.draws("가나다라뷁")
    masks = [face.glyph(char, 40).mask for char in "가나다라각낙닥락"]
    assert not any(np.array_equal(a, b) for place, a in enumerate(masks) for b in masks[:place])
