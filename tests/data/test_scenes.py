"""Generated scenes: what the grammar says it also understands, and pictures show what captions say."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from jumok.data.scene_pictures import RGB, _layout, draw_scene, write_scenes
from jumok.data.scenes import (
    BEHIND,
    COLOURS,
    SHAPES,
    SIZES,
    WORDS,
    Scene,
    Thing,
    caption,
    captions,
    exact_scenes,
    held_out,
    make_scene,
    parse,
    scenes,
)
from jumok.data.shapes import OUTLINES


def test_every_sentence_is_understood(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(500):
        scene = make_scene(rng)
        sentence = caption(scene, rng)
        assert parse(sentence) == scene, sentence
        assert parse(sentence.capitalize() + " .") == scene


def test_a_scene_has_many_sentences(seed: int) -> None:
    rng = random.Random(seed)
    scene = Scene(Thing("small", "red", "circle"), "left", Thing("large", "blue", "square"))
    said = captions(scene, 300, rng)
    assert len(set(said)) == 300
    assert {parse(sentence) for sentence in said} == {scene}
    assert parse("a large blue square is right of a tiny red disc") == scene
    assert parse("there is a big blue box with a little circle that is red on its left") == scene


def test_another_scene_is_another(seed: int) -> None:
    rng = random.Random(seed)
    first = [make_scene(rng) for _ in range(300)]
    said = [caption(scene, rng) for scene in first]
    parsed = [parse(sentence) for sentence in said]
    assert len(set(parsed)) == len(set(first))
    assert exact_scenes(said, [[caption(scene, rng)] for scene in first]) == 100
    swapped = [Scene(s.second, s.relation, s.first) for s in first if s.second is not None]
    others = [caption(s, rng) for s in first if s.second is not None]
    assert exact_scenes(others, [[caption(scene, rng)] for scene in swapped]) == 0


@pytest.mark.parametrize(
    "sentence",
    [
        "",
        "a dog runs",
        "a red circle",
        "a small red circle is",
        "a small red circle is left of",
        "a small red circle left of a large blue square above a small red star",
        "a small red circle is on its left a large blue square",
        "small red circle",
    ],
)
def test_what_is_no_sentence_is_none(sentence: str) -> None:
    assert parse(sentence) is None
    assert exact_scenes([sentence], [["a small red circle"]]) == 0
    assert exact_scenes(["a small red circle"], [["a small red circle"], [sentence]][1:]) is None


def test_no_word_means_two_things() -> None:
    for table in (SIZES, COLOURS, SHAPES):
        words = [word for synonyms in table.values() for word in synonyms]
        assert len(words) == len(set(words))
    phrases = [phrase for forward, back, _ in WORDS.values() for phrase in (*forward, *back)]
    assert len(phrases) == len(set(phrases))
    places = [place for *_, where in WORDS.values() for place in where] + [p for b in BEHIND.values() for p in b]
    assert len(places) == len(set(places))
    assert SHAPES.keys() <= OUTLINES.keys()
    assert COLOURS.keys() == RGB.keys()


def test_splits_share_no_scene_and_come_back(seed: int) -> None:
    train, val = ([scene for scene, _ in scenes(400, seed, split)] for split in ("train", "val"))
    assert not set(train) & set(val)
    assert not any(map(held_out, train))
    assert all(map(held_out, val))
    assert [scene for scene, _ in scenes(400, seed, "train")] == train
    assert [scene for scene, _ in scenes(400, seed + 1, "train")] != train


def test_the_picture_shows_the_scene(seed: int) -> None:
    """Colours stand where the relation says, whatever else was drawn."""
    rng = random.Random(seed)
    for _ in range(60):
        scene = make_scene(rng)
        pixels = draw_scene(scene, 48, rng).astype(np.float64)
        middles = {}
        for thing in filter(None, (scene.first, scene.second)):
            near = np.abs(pixels - np.array(RGB[thing.colour])).max(2) < 60
            assert near.sum() >= 12, scene
            middles[thing] = [float(axis.mean()) for axis in np.nonzero(near)]
        if scene.relation is None or scene.second is None:
            continue
        (y, x), (other_y, other_x) = middles[scene.first], middles[scene.second]
        if scene.relation == "left":
            assert x < other_x - 4
            assert abs(y - other_y) < other_x - x
        elif scene.relation == "inside":
            assert abs(x - other_x) + abs(y - other_y) < 8
        else:
            assert y < other_y - 4
            assert abs(x - other_x) < other_y - y


def test_above_leaves_a_gap_and_on_does_not(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(300):
        scene = make_scene(rng)
        if scene.relation not in ("above", "on"):
            continue
        (below, far, (_, other_y)), (above, near, (_, y)) = _layout(scene, rng)
        bottom = y + near * max(py for outline in OUTLINES[above.shape] for _, py in outline)
        top = other_y + far * min(py for outline in OUTLINES[below.shape] for _, py in outline)
        assert (top - bottom > 0.09) == (scene.relation == "above")
        assert (top - bottom < 0) == (scene.relation == "on")


def test_everything_is_inside_the_picture(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(300):
        for _thing, radius, (x, y) in _layout(make_scene(rng), rng):
            assert min(x, y, 1 - x, 1 - y) > 0.8 * radius


def test_files_are_those_of_the_seed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_scenes(tmp_path / name, 6, 3, 16, seed=5)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) == 6 + 3 + 2
    for path in files:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()
    rows = [json.loads(line) for line in (tmp_path / "a" / "val.jsonl").read_text().splitlines()]
    for row, (scene, _) in zip(rows, scenes(3, 5, "val"), strict=True):
        assert (tmp_path / "a" / row["image"]).is_file()
        assert {parse(text) for text in row["captions"]} == {scene}
