"""A film has a frame for each step, of one size and one scale, with the step on it."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from jumok.insight.film import draw_frame, training_film


def test_a_frame_for_each_step_the_last_seen_longer() -> None:
    maps = [(100 * number, torch.softmax(torch.randn(3, 2), -1)) for number in range(2)]
    maps.append((200, maps[-1][1]))  # the same map again is a frame of its own
    film = Image.open(BytesIO(training_film(maps, ["▁a", "$b$", "</s>"], ["▁나", "는"], milliseconds=200)))
    assert film.n_frames == 3
    seen = []
    for number in range(3):
        film.seek(number)
        seen.append((film.size, film.info["duration"]))
    assert len({size for size, _ in seen}) == 1
    assert [duration for _, duration in seen] == [200, 200, 800]


def test_a_frame_holds_its_map_and_its_step() -> None:
    weights = np.random.rand(2, 3).astype(np.float32)
    bar, axis, *_ = draw_frame(1500, weights, ["a", "b"], ["x", "y", "z"], 2.0, 3000).axes
    np.testing.assert_array_equal(np.asarray(axis.images[0].get_array()), weights)
    assert axis.images[0].get_clim() == (0, 2)
    assert bar.get_title(loc="left") == "step 1,500"
    assert bar.patches[0].get_width() / bar.get_xlim()[1] == 0.5


def test_what_is_no_film_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        training_film([], ["a"], ["b"])
    with pytest.raises(ValueError, match=r"step 7: a map of \(2, 2\) for 1 rows"):
        training_film([(7, np.ones((2, 2)))], ["a"], ["b", "c"])
