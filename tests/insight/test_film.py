"""A film has a frame for each step, of one size and one scale, with the step on it, for all that there is to see."""

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from tests.insight import test_caption_viewer as captions
from tests.insight import test_choice as texts
from tests.insight import test_image_viewer as images
from tests.insight import test_pair_viewer as pairs

from jumok.errors import UserError
from jumok.insight.caption_viewer import looked_words
from jumok.insight.choice import Choice
from jumok.insight.film import draw_step, scene, training_film
from jumok.insight.image_figures import overlay
from jumok.insight.image_maps import class_attention
from jumok.insight.keeping import View
from jumok.insight.maps import as_map, average
from jumok.insight.pair_viewer import sum_words

VIEWS: dict[str, Callable[[], View]] = {
    "text": texts.text,
    "photo": images.full,
    "words": captions.view,
    "pair": pairs.view,
}


def frames(film: bytes) -> list[tuple[Image.Image, int]]:
    found = []
    with Image.open(BytesIO(film)) as picture:
        for number in range(picture.n_frames):
            picture.seek(number)
            found.append((picture.convert("RGB"), picture.info["duration"]))
    return found


@pytest.mark.parametrize("kind", VIEWS)
def test_a_frame_for_each_step_the_last_seen_longer(kind: str) -> None:
    scenes = [(100 * number, scene(VIEWS[kind]())) for number in range(2)]
    scenes.append((200, scenes[-1][1]))  # the same look again is a frame of its own
    seen = frames(training_film(scenes, milliseconds=200))
    assert len({picture.size for picture, _ in seen}) == 1
    assert [duration for _, duration in seen] == [200, 200, 800]
    first, second, third = (np.asarray(picture, dtype=int) for picture, _ in seen)
    above = round(0.6 * 130)
    assert (second != third)[:above].any(), "the step is on it"
    np.testing.assert_array_equal(second[above:], third[above:])
    assert (first != second)[above:].any()


def test_a_frame_says_its_step() -> None:
    (bar,) = draw_step(1500, 3000, 7).axes
    assert bar.get_title(loc="left") == "step 1,500"
    assert bar.patches[0].get_width() / bar.get_xlim()[1] == 0.5


def test_a_translation_is_the_mean_look_of_what_is_chosen() -> None:
    given = replace(texts.text(), choice=Choice((2, 3), (1, 4)))
    found = scene(given)
    wanted = average([as_map(given.maps[f"decoder.blocks.{at}.cross"])[[0, 3]] for at in (1, 2)])
    assert float(found.most) == pytest.approx(wanted.max(), abs=1e-6)
    (image,) = found.draw(as_map(np.float32(2.0))).axes[0].images
    np.testing.assert_allclose(image.get_array(), wanted, atol=1e-6)
    assert image.get_clim() == (0, 2)
    no_cross = {name: weights for name, weights in given.maps.items() if "cross" not in name}
    with pytest.raises(UserError, match="this one has none of the layers 2-3; heads 1, 4"):
        scene(replace(given, maps=no_cross))


@pytest.mark.parametrize(("prefix", "who"), [(0, "mean of all patches"), (1, "class token")])
def test_a_photo_is_what_the_class_token_looked_at_last(prefix: int, who: str) -> None:
    given = replace(images.view(prefix), choice=Choice((1, 2), (2,)))
    heat = class_attention(given.maps[1], prefix, images.GRID)[1]
    found = scene(given)
    assert float(found.most) == pytest.approx(heat.max(), abs=1e-6)
    plain, seen = found.draw(as_map(np.float32(0.5))).axes
    np.testing.assert_array_equal(seen.images[0].get_array(), overlay(plain.images[0].get_array(), heat, 0.5))
    assert (plain.get_title(), seen.get_title()) == ("fox 80 %", f"{who}, layer 2, head 2")


def test_each_word_of_a_caption_has_a_scale_of_its_own() -> None:
    given = captions.view()
    looked, words = looked_words(given)
    found = scene(given)
    np.testing.assert_allclose(found.most, [heat.max() for heat in looked])
    scales = found.most * np.linspace(1, 2, len(words), dtype=np.float32)
    photo, *rest = [axis for axis in found.draw(scales).axes if axis.images]
    assert len(rest) == len(words)
    for axis, heat, scale in zip(rest, looked, scales.tolist(), strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), overlay(photo.images[0].get_array(), heat, scale))


def test_two_sentences_are_what_each_pair_of_words_adds() -> None:
    given = pairs.view()
    words = sum_words(as_map(given.contributions), *given.word_numbers())
    found = scene(given)
    assert float(found.most) == pytest.approx(np.abs(words).max(), abs=1e-6)
    (image,) = found.draw(as_map(np.float32(0.7))).axes[0].images
    np.testing.assert_allclose(image.get_array(), words, atol=1e-6)
    np.testing.assert_allclose(image.get_clim(), (-0.7, 0.7), atol=1e-6)
    bare = replace(given, contributions=None, maps=({}, {}))
    assert float(scene(bare).most) <= 1, "cosines, where the vector is no sum"


def test_what_is_no_film_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        training_film([])
    short, long = (scene(texts.view([f"▁s{n}" for n in range(size)], ["</s>"], 1, 1)) for size in (9, 19))
    with pytest.raises(ValueError, match="step 7: a frame of"):
        training_film([(3, short), (7, long)])
