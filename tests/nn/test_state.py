"""Pooled beams: the memory of a beam is its own past, through growth, reordering, dropping and compaction."""

import pytest
import torch
from tests.models.small import BEGIN, END, FIRST, PAD, VOCAB, small_model, words
from tests.models.walk import Walk

from jumok.nn.state import PooledBeams


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary", "none"])
@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("beams", [1, 3])
@torch.no_grad()
def test_step_by_step_is_the_full_pass(positions: str, norm: str, beams: int) -> None:
    walk = Walk(small_model(positions=positions, norm=norm), 5, beams)
    for _ in range(9):
        walk.step()
        walk.check()


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary"])
@pytest.mark.parametrize("beams", [1, 2, 5])
@torch.no_grad()
def test_beams_follow_their_parents(positions: str, beams: int) -> None:
    walk = Walk(small_model(positions=positions), 3, beams)
    for _ in range(11):
        walk.step()
        walk.check()
        walk.reorder()


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary"])
@pytest.mark.parametrize("beams", [1, 3])
@torch.no_grad()
def test_several_tokens_at_once(positions: str, beams: int) -> None:
    walk = Walk(small_model(positions=positions), 5, beams)
    for count in (3, 1, 2, 5, 1):
        walk.step(count)
        walk.check()
        walk.reorder()


@pytest.mark.parametrize("beams", [1, 3])
@torch.no_grad()
def test_dropped_sentences_leave_the_others_alone(beams: int) -> None:
    walk = Walk(small_model(), 7, beams)
    for _ in range(9):
        walk.step()
        walk.check()
        walk.reorder()
        walk.keep()
    assert len(walk.read) == 1


@pytest.mark.parametrize("positions", ["sinusoidal", "rotary"])
@pytest.mark.parametrize("beams", [1, 4])
@torch.no_grad()
def test_long_outputs_grow_and_compact_the_pool(positions: str, beams: int) -> None:
    walk = Walk(small_model(positions=positions, depth=1, decoder_depth=2), 3, beams)
    steps = 2 * PooledBeams.COMPACT_EVERY + 5
    assert steps * beams > PooledBeams.CHUNK
    for step in range(steps):
        walk.step()
        if step % 4 == 0 or step % PooledBeams.COMPACT_EVERY < 2:
            walk.check()
        walk.reorder()
        if step == PooledBeams.COMPACT_EVERY + 3:
            walk.keep()
    walk.step()
    walk.check()


@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("chunk", [1, 5])
@torch.no_grad()
def test_any_size_of_chunk_and_any_moment_of_compaction(
    every: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PooledBeams, "COMPACT_EVERY", every)
    monkeypatch.setattr(PooledBeams, "CHUNK", chunk)
    walk = Walk(small_model(), 5, 3)
    for step in range(13):
        walk.step(1 + step % 2)
        walk.check()
        walk.reorder()
        if step % 4 == 3:
            walk.keep()


@torch.no_grad()
def test_compaction_frees_dead_slots() -> None:
    """Beams that all descend from one share its past: the pool must not keep every dead end."""
    walk = Walk(small_model(), 2, 4)
    for _ in range(3 * PooledBeams.COMPACT_EVERY):
        walk.step()
        walk.state.reorder(torch.zeros(2, 4, dtype=torch.long))
        walk.read = walk.read[:, :1].expand(-1, 4, -1)
    walk.step()
    walk.check()
    slots = walk.state.ancestry.shape[2]
    assert slots < 3 * PooledBeams.COMPACT_EVERY + 4 * PooledBeams.COMPACT_EVERY + 8


@torch.no_grad()
def test_a_dead_beam_may_read_anything() -> None:
    """Search feeds ended beams whatever stands there; their sentences' other beams must not notice."""
    model = small_model()
    walk = Walk(model, 3, 2)
    walk.step()
    new = torch.randint(FIRST, VOCAB, (3, 2, 1))
    new[:, 1] = torch.tensor([PAD, END, BEGIN])[:, None]
    logits, _ = model.step(new.flatten(0, 1), walk.state)
    full = model(*walk.inputs, torch.cat([walk.read[:, 0], new[:, 0]], 1))[:, -1]
    torch.testing.assert_close(logits.unflatten(0, (3, 2))[:, 0], full, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_source_of_nothing_gives_finite_logits() -> None:
    model = small_model()
    source, sizes, target = words(3, 5), torch.tensor([5, 0, 2]), torch.full((3, 1), BEGIN)
    logits, _ = model.step(target, model.begin(model.encode(source, sizes), 1, 5))
    assert bool(logits.isfinite().all())
    torch.testing.assert_close(logits, model(source, sizes, target)[:, -1], rtol=1e-4, atol=1e-4)
