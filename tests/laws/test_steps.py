"""Law: step by step is the full pass, whatever becomes of the beams, for every model that writes."""

import pytest
import torch
from tests.models.small import BEGIN, MODELS, NEW, targets, words
from tests.models.small_images import WRITERS
from tests.models.walk import Walk

from jumok.nn.state import State

ALL = MODELS | WRITERS


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("name", ALL)
@torch.no_grad()
def test_beams_follow_their_parents_and_sentences_are_dropped(name: str, beams: int) -> None:
    walk = Walk(ALL[name](), 5, beams)
    assert isinstance(walk.state, State)
    for step in range(8):
        walk.step()
        walk.check()
        walk.reorder()
        if step % 2:
            walk.keep()
    assert len(walk.read) == 1


@pytest.mark.parametrize("name", ALL)
@torch.no_grad()
def test_a_search_widens_from_one_beam(name: str) -> None:
    walk = Walk(ALL[name](), 3, 1)
    for beams in (2, 5, 5):
        walk.step(2 if beams == 5 else 1)
        walk.reorder(beams)
    walk.step()
    walk.check()


@pytest.mark.parametrize("name", [*NEW, *WRITERS])
@torch.no_grad()
def test_several_tokens_at_once(name: str) -> None:
    walk = Walk(ALL[name](), 3, 2)
    for count in (3, 1, 2, 4):
        walk.step(count)
        walk.check()
        walk.reorder()


@pytest.mark.parametrize("name", ALL)
@torch.no_grad()
def test_two_decodings_do_not_touch_each_other(name: str) -> None:
    """State is an argument and a result, never inside the module."""
    model = ALL[name]()
    one, two = Walk(model, 3, 2), Walk(model, 5, 3)
    for _ in range(3):
        one.step()
        two.step(2)
        one.reorder()
        two.reorder()
    one.step()
    one.check()
    two.step()
    two.check()


@pytest.mark.parametrize("name", NEW)
@torch.no_grad()
def test_a_source_of_nothing_gives_finite_logits(name: str) -> None:
    model = MODELS[name]()
    source, sizes, target = words(3, 5), torch.tensor([5, 0, 2]), targets(3, 1)
    logits, _ = model.step(torch.full((3, 1), BEGIN), model.begin(model.encode(source, sizes), 1, 5))
    assert bool(logits.isfinite().all())
    torch.testing.assert_close(logits, model(source, sizes, target)[:, -1], rtol=1e-4, atol=1e-4)
