"""Laws of the words' report and store: every word counted, none lost in silence, pixels as the model sees them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.data.pictures import noise, save

from jumok.data.charset import Charset, Spelling
from jumok.data.image_file import Pixels
from jumok.data.word_images import WordSet
from jumok.data.word_report import WordReport, check_words
from jumok.data.word_store import WordStore, by_width, is_tall, plain_shape, turned
from jumok.errors import UserError

SHAPE = plain_shape(16, 64)


def charset(name: str = "latin36", **spelling: str) -> Charset:
    return Charset.make(name, Spelling.model_validate(spelling))


def words(folder: Path, texts: list[str], name: str = "train") -> WordSet:
    crops = [save(folder / name / f"{number}.png", noise(24, 16, seed=number)) for number in range(len(texts))]
    return WordSet(name, folder / f"{name}.tsv", [*crops], texts)


def looked_at(*sets: WordSet, longest: int = 5, **spelling: str) -> tuple[list[WordStore], WordReport]:
    return check_words(sets, charset(**spelling), SHAPE, longest)


def test_every_word_is_used_or_counted(tmp_path: Path) -> None:
    train = words(tmp_path, ["abc", "ABC", "éü", "", "toolong", "aéb", " "])
    val = words(tmp_path, ["abc", "ÉÜ", "toolong"], "val")
    (store, other), report = looked_at(train, val)
    assert store.texts == ["abc", "aéb"]
    assert other.texts == ["abc", "ÉÜ", "toolong"], "what cannot be right is kept where it is scored"
    part = report.parts[0]
    assert (part.images, part.empty, part.lost, part.long) == (2, 2, 2, 1)
    assert part.outside == {"é": 2, "A": 1, "B": 1, "C": 1, "ü": 1}
    assert part.outside_labels == 3
    text = report.text()
    assert "outside the character set: 'é' (2 x)" in text
    assert "2 labels hold nothing else, left out" in text
    assert "1 words are longer than the model's 5 characters, left out" in text
    assert "1 words are longer than the model's 5 characters, kept, they count as misread" in text
    assert report.as_dict()["parts"][0]["lost"] == 2
    (small,), _ = looked_at(train, case="lower", punctuation="strip")
    assert small.texts == ["abc", "abc", "aéb"]


def test_absent_and_damaged_images_are_named_and_left_out(tmp_path: Path) -> None:
    train = words(tmp_path, ["a", "b", "c", "d"])
    (tmp_path / "train" / "1.png").unlink()
    (tmp_path / "train" / "2.png").write_text("no picture")
    (store,), report = looked_at(train)
    assert store.texts == ["a", "d"]
    text = report.text()
    assert f"absent: 1, skipped: {tmp_path / 'train' / '1.png'}" in text
    assert "unreadable: 1, skipped" in text
    for path in (tmp_path / "train").iterdir():
        path.unlink()
    with pytest.raises(UserError, match=r"no word of .* can be used .*4 cannot be read"):
        looked_at(train)
    with pytest.raises(UserError, match="2 of characters outside the set alone"):
        looked_at(words(tmp_path, ["é", "ü"]))


def test_repeats_and_overlap_are_counted(tmp_path: Path) -> None:
    train, val = words(tmp_path, ["a", "b", "c"]), words(tmp_path, ["a", "b"], "val")
    pixels = Image.open(train.crops[0])  # type: ignore[arg-type]
    pixels.save(tmp_path / "train" / "1.png")
    _, report = looked_at(train, val)
    assert (report.parts[0].repeats, report.parts[0].retold) == (1, 1)
    assert report.parts[1].overlap == 1, "val's first picture is train's, its second one's double was replaced"


def test_any_picture_becomes_one_of_the_height(tmp_path: Path) -> None:
    rgba = np.dstack([noise(30, 10), np.zeros((10, 30), np.uint8)])
    made = {
        "strip.png": noise(200, 1),
        "tall.png": noise(1, 200),
        "dot.png": noise(1, 1),
        "huge.png": noise(1200, 300),
        "grey.png": noise(30, 20, 1),
        "clear.png": rgba,
    }
    paths = [save(tmp_path / name, pixels) for name, pixels in made.items()]
    deep = np.arange(30 * 10, dtype=np.uint16).reshape(10, 30) * 200
    Image.fromarray(deep).save(tmp_path / "deep.png")
    paths.append(tmp_path / "deep.png")
    for vertical in (False, True):
        shape = plain_shape(16, 64, vertical=vertical)
        for path in paths:
            pixels, (width, height) = shape.decoded(path)
            assert pixels.shape[2] == 3
            assert pixels.shape[0] <= 24 or not vertical
            seen = shape.width_of(pixels)
            assert seen % 16 == 0
            assert 32 <= seen <= 64
            assert seen == shape.width_at(width / height)
            assert shape.tensor([pixels], seen).shape == (1, 3, 16, seen)
    white = plain_shape(16, 64).decoded(tmp_path / "clear.png")[0]
    assert (white == 255).all(), "what is transparent is white"


def test_the_width_is_the_nearest_that_is_allowed() -> None:
    for height, width, wanted in ((16, 41, 48), (16, 39, 32), (16, 5, 32), (16, 900, 64), (32, 96, 48)):
        assert SHAPE.width_of(noise(width, height)) == wanted


def test_tall_crops_are_turned_against_the_clock_where_asked() -> None:
    pixels: Pixels = noise(8, 20)
    assert is_tall(pixels)
    assert not is_tall(noise(8, 12))
    assert plain_shape(32, 64).upright(pixels) is pixels
    upright = plain_shape(32, 64, vertical=True).upright(pixels)
    assert np.array_equal(upright, turned(pixels, 1))
    assert np.array_equal(upright[-1], pixels[:, 0]), "the left side is below now: what ran upward runs to the right"


def test_pixels_that_do_not_fit_are_decoded_again(tmp_path: Path) -> None:
    train = words(tmp_path, ["a", "b", "c"])
    (kept,), _ = check_words([train], charset(), SHAPE, 5)
    (tight,), _ = check_words([train], charset(), SHAPE, 5, budget=0)
    assert tight.kept == [None] * 3
    for one, other in zip(kept.pixels([2, 0]), tight.pixels([2, 0]), strict=True):
        assert np.array_equal(one, other)
    assert kept.digest == tight.digest
    assert tight.widths == kept.widths
    (tmp_path / "train" / "0.png").unlink()
    with pytest.raises(UserError, match="but not now"):
        tight.pixels([0])


def test_batches_by_width_hold_every_place_once(seed: int) -> None:
    widths = np.random.default_rng(seed).choice([32, 48, 64], 50).tolist()
    batches = by_width(widths, 8)
    assert sorted(place for batch in batches for place in batch) == list(range(50))
    assert all(len({widths[place] for place in batch}) == 1 and len(batch) <= 8 for batch in batches)


def test_normalisation() -> None:
    black = np.zeros((4, 8, 3), np.uint8)
    torch.testing.assert_close(SHAPE.tensor([black, black + 255], 32)[:, 0, 0, 0], torch.tensor([-1.0, 1.0]))
