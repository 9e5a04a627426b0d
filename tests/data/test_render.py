"""Drawn words: a function of (word, numbers), with every character of the label and none that a font lacks."""

import pickle
import random
import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tests.data.pictures import noise
from tests.data.typefaces import box_font, system_font

from jumok.data.image_file import Pixels
from jumok.data.render import WIDEST, RenderOptions, WordRenderer, distort
from jumok.errors import UserError

WORDS = ("Chartered", "SALE", "of", "19:30", "$4.50", "coffee", "EXIT", "Nanyang", "one two")
HANGUL = ("한글", "주목", "편의점", "뷁쉙", "커피 3잔")
STRENGTHS = [name for name in RenderOptions.model_fields if name != "vertical"]

pytestmark = [pytest.mark.system("fonts-dejavu"), pytest.mark.system("fonts-nanum")]


def options(strength: float, **changes: float) -> RenderOptions:
    return RenderOptions.model_validate(dict.fromkeys(STRENGTHS, float(strength)) | changes)


def latin() -> list[Path]:
    return [system_font(name) for name in ("DejaVuSans.ttf", "DejaVuSerif-Bold.ttf", "DejaVuSansMono.ttf")]


def hangul() -> list[Path]:
    return [system_font(name) for name in ("NanumGothic.ttf", "NanumMyeongjo.ttf")]


@pytest.fixture(scope="module")
def renderer() -> WordRenderer:
    return WordRenderer([*latin(), *hangul()])


@pytest.fixture(scope="module")
def plain() -> WordRenderer:
    return WordRenderer(latin()[2:], options(0))


def equal(one: Sequence[Pixels], other: Sequence[Pixels]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def runs(pixels: Pixels, axis: int) -> int:
    """How many pieces of black ink stand beside each other along `axis` (1: in a line, 0: below each other)."""
    inked = (pixels.mean(2) < 128).any(1 - axis)
    return int((inked & ~np.concatenate([[False], inked[:-1]])).sum())


def test_a_picture_depends_on_the_word_and_its_numbers_alone(renderer: WordRenderer, seed: int) -> None:
    words = [*WORDS, *HANGUL] * 3
    keys = [(word, (seed, place)) for place, word in enumerate(words)]
    pictures = [renderer(*key) for key in keys]
    assert all(pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 for pixels in pictures)
    random.seed(0)
    np.random.seed(0)
    again = WordRenderer([*latin(), *hangul()])
    assert equal(pictures, [again(*key) for key in reversed(keys)][::-1])
    with ThreadPoolExecutor(4) as pool:
        assert equal(pictures, list(pool.map(lambda key: renderer(*key), keys)))
    assert equal(pictures, [pickle.loads(pickle.dumps(renderer))(*key) for key in keys])
    for numbers in ((seed + 1, 0), (seed,), (0, seed, 0)):
        assert not np.array_equal(pictures[0], renderer(words[0], numbers))


def test_the_order_of_fonts_changes_nothing(renderer: WordRenderer, seed: int) -> None:
    turned = WordRenderer([*hangul()[::-1], *latin()[::-1]])
    assert equal([renderer(word, (seed,)) for word in WORDS], [turned(word, (seed,)) for word in WORDS])


def test_without_strength_it_is_black_on_white(plain: WordRenderer, seed: int) -> None:
    for place, word in enumerate(WORDS):
        pixels = plain(word, (seed, place))
        assert (pixels.min(), pixels.max()) <= (40, 255)
        assert (pixels[..., 0] == pixels[..., 1]).all()
        assert (pixels[..., 0] == pixels[..., 2]).all()
        assert np.median(pixels) == 255
        assert pixels[[0, 0, -1, -1], [0, -1, 0, -1]].min() == 255


def test_each_letter_of_the_label_is_drawn(plain: WordRenderer, seed: int) -> None:
    """Letters of one piece each, of a font in which they do not touch: as many pieces as letters, in their order."""
    rng = random.Random(seed)
    counted = 0
    for place in range(60):
        word = "".join(rng.choice("ABCDEFGHKLTXYZabcdefhkmnoprtuvxyz2345789") for _ in range(rng.randint(1, 12)))
        pixels = plain(word, (seed, place))
        if pixels.shape[0] > 24:  # smaller ones run into each other
            assert runs(pixels, axis=1) == len(word), word
            counted += 1
    assert counted


def test_another_letter_is_another_picture(plain: WordRenderer, renderer: WordRenderer, seed: int) -> None:
    rng = random.Random(seed)
    for place in range(10):
        word = "".join(rng.choice("abcdefghijklmnopqrstuvwxyzABCDEFGH") for _ in range(5))
        at = rng.randrange(5)
        other = word[:at] + rng.choice("JKLMNOPQ") + word[at + 1 :]
        # the stream of chance belongs to the word too, so sizes may differ; the same size is drawn otherwise
        assert not np.array_equal(plain(word, (seed, place)), plain(other, (seed, place)))
        assert not np.array_equal(renderer(word, (seed, place)), renderer(other, (seed, place)))


@pytest.mark.parametrize("name", STRENGTHS)
def test_each_strength_changes_pictures(name: str, seed: int) -> None:
    without, alone = (WordRenderer(latin(), options(0, **{name: strength})) for strength in (0.0, 1.0))
    everything, missing = (WordRenderer(latin(), options(1, **{name: strength})) for strength in (1.0, 0.0))
    for one, other in ((without, alone), (everything, missing)):
        keys = [(word, (seed, place)) for place, word in enumerate(WORDS * 5)]
        changed = [not np.array_equal(one(*key), other(*key)) for key in keys]
        assert sum(changed) >= 1


@pytest.mark.parametrize("name", ["colours", "noise"])
def test_what_is_photographed_leaves_the_letters_in_their_place(name: str, seed: int) -> None:
    one, other = (WordRenderer(latin(), options(1, **{name: strength})) for strength in (0.0, 1.0))
    for place, word in enumerate(WORDS):
        assert one(word, (seed, place)).shape == other(word, (seed, place)).shape


def test_vertical_words_run_downward(seed: int) -> None:
    upright = WordRenderer(latin()[2:], options(0, vertical=1.0))
    stacked = 0
    for place in range(20):
        pixels = upright("ABCDE", (seed, place))
        assert pixels.shape[0] > 2 * pixels.shape[1]
        assert pixels.shape[1] < 24 or runs(pixels, axis=0) == 5
        # a stack is as wide as a letter, a line turned by a quarter as a letter is high
        stacked += pixels.shape[0] > 5 * pixels.shape[1]
    assert 0 < stacked < 20
    some = WordRenderer(latin(), options(0, vertical=0.3))
    tall = sum(np.divide(*some("ABCDE", (seed, place)).shape[:2]) > 1 for place in range(200))
    assert 20 < tall < 110


def test_the_aspect_is_known_without_drawing(renderer: WordRenderer, seed: int) -> None:
    for place, word in enumerate([*WORDS, *HANGUL] * 4):
        height, width, _ = renderer(word, (seed, place)).shape
        # a coarse picture is drawn smaller and enlarged, which rounds both sides
        assert abs(renderer.aspect(word, (seed, place)) * height / width - 1) < 0.5 / min(height, width) * 3


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_no_picture_is_without_bounds(strength: float, seed: int) -> None:
    drawn = WordRenderer(latin(), options(strength, vertical=0.3))
    for place, word in enumerate(("i", ".", "-", "W" * 80, "long " * 40, "|")):
        height, width, _ = drawn(word, (seed, place)).shape
        assert 4 <= min(height, width) <= max(height, width) <= 2.6 * WIDEST


def test_a_font_without_a_character_is_never_used(seed: int) -> None:
    both, alone = WordRenderer([*latin(), *hangul()], options(0)), WordRenderer(hangul(), options(0))
    able = {face.family for family in both.families for face in family if face.draws("한")}
    assert able == {"NanumGothic", "NanumMyeongjo"}
    # in whichever font: Hangul has ink as it has in those two alone, never the box of a missing glyph
    for word in HANGUL:
        seen = {both(word, (seed, place)).tobytes() for place in range(12)}
        assert len(seen) > 1
        assert alone.missing(word) == both.missing(word) == ""


def test_a_word_that_no_font_draws_is_refused_by_its_characters(tmp_path: Path) -> None:
    drawn = WordRenderer(latin())
    with pytest.raises(UserError, match=r"cannot draw 'a한글': no font has '한' \(U\+D55C\), '글' \(U\+AE00\)"):
        drawn("a한글", (1,))
    assert "U+D55C" in drawn.missing("한")
    parts = [box_font(tmp_path / f"{place}.ttf", {char: "box"}, f"Font {place}") for place, char in enumerate("가나")]
    split = WordRenderer(parts)
    assert split.missing("가") == split.missing("나") == ""
    with pytest.raises(UserError, match="no single font has all its characters"):
        split("가나", (1,))


@pytest.mark.parametrize(("word", "message"), [("", "empty"), ("  ", "empty"), ("שלום", "U\\+05E9"), ("x̌", "U\\+030C")])
def test_what_is_not_set_here_is_refused(renderer: WordRenderer, word: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        renderer(word, (1,))


def test_decomposed_text_is_drawn_as_composed(renderer: WordRenderer, seed: int) -> None:
    for word in ("한글", "naïve"):
        drawn = [renderer(unicodedata.normalize(form, word), (seed,)) for form in ("NFC", "NFD")]
        assert np.array_equal(*drawn)


def test_no_usable_font_is_an_error(tmp_path: Path) -> None:
    bad = tmp_path / "bad.ttf"
    bad.write_bytes(b"no font")
    with pytest.raises(UserError, match=r"no font to draw words with; .*bad\.ttf: not readable"):
        WordRenderer([bad])
    kept = WordRenderer([bad, *latin()])
    assert list(kept.left_out) == [bad]


def test_most_pictures_can_be_read(renderer: WordRenderer, seed: int) -> None:
    """Between its darkest and brightest parts nearly every picture differs by more than a sixth of the scale."""
    spread = []
    for place, word in enumerate([*WORDS, *HANGUL] * 15):
        grey = renderer(word, (seed, place)).mean(2)
        spread.append(np.subtract(*np.percentile(grey, (98, 2))))
    assert np.mean(np.array(spread) > 40) > 0.85
    assert np.median(spread) > 80


@pytest.mark.parametrize("shape", [(32, 100), (1, 200), (200, 1), (1, 1), (64, 20)])
def test_real_crops_are_distorted_by_their_numbers(shape: tuple[int, int], seed: int) -> None:
    pixels = noise(shape[1], shape[0], seed=seed)
    before = pixels.copy()
    assert np.array_equal(distort(pixels, 0.0, (seed,)), pixels)
    for place in range(20):
        once, again = (distort(pixels, 1.0, (seed, place)) for _ in range(2))
        assert np.array_equal(once, again)
        assert once.dtype == np.uint8
        assert once.shape[2] == 3
        assert min(once.shape) >= 1
        assert max(once.shape) <= 2 * max(shape) + 8
    assert np.array_equal(pixels, before)
    others = [distort(pixels, 1.0, (seed, place)) for place in range(20)]
    assert len({picture.tobytes() for picture in others}) > 1 or shape == (1, 1)


def test_distortion_grows_with_its_strength(renderer: WordRenderer, seed: int) -> None:
    crop = renderer("Chartered", (seed,))
    changed = [
        sum(not np.array_equal(distort(crop, strength, (seed, place)), crop) for place in range(30))
        for strength in (0.0, 1.0)
    ]
    assert changed[0] == 0
    assert changed[1] > 25
