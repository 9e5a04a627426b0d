"""Every kind of model that writes what it sees learns to in seconds, and its attention is where the mark is."""

import pytest
import torch
from tests.learn.sights import LEARNERS, PLACES, draw, forced, score, trained

from jumok.insight.record import record
from jumok.models.image_to_text import ImageToText

LEAST = {"show-attend-tell": 85, "cnn-transformer": 90, "vit-transformer": 90, "reader": 90}


@pytest.mark.parametrize("name", LEARNERS)
def test_it_learns_to_name_marks(name: str) -> None:
    assert score(name) >= LEAST[name]


@pytest.mark.parametrize("name", [name for name in LEARNERS if name != "reader"])
@torch.no_grad()
def test_it_looks_at_the_mark_that_it_names(name: str) -> None:
    """Most weight lies in the mark's own sixth of the image; by chance a sixth of the looks would."""
    model = trained(name)
    assert isinstance(model, ImageToText)
    images, places, tokens, lengths = draw(300)
    with record(model, "decoder*cross") as maps:
        model(images, forced(tokens, lengths)[0])
    (weights,) = maps.values()
    rows, columns = model.config.grid(*images.shape[2:])
    looked = weights.mean(1).view(300, -1, rows, PLACES, columns // PLACES).sum((2, 4))[:, :PLACES]
    named = torch.arange(PLACES) < lengths[:, None]
    assert float((looked.argmax(-1) == places)[named].double().mean()) > 0.5
