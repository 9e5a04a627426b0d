"""Padding and neighbours change nothing: not features, not forced logits, not what is searched or drawn."""

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decoding.run import run
from tests.learn import toy
from tests.models.small import MODELS, NEW, VOCAB, lengths, small_model, targets, words
from tests.models.small_images import READERS, WRITERS, images
from torch import Tensor

from jumok.decoding.ctc import greedy, prefix_search
from jumok.decoding.search import Hypothesis
from jumok.models.translators import TranslationModel

ROWS, LONGEST = 7, 7
SEARCHES: list[dict[str, Any]] = [
    {"beam": 1},
    {"beam": 4, "n_best": 3},
    {"beam": 4, "length_penalty": 0.0, "no_repeat_ngram": 2, "min_length": 3},
    {"sample": True, "n_best": 2, "temperature": 1.3, "top_k": 9, "seed": 5},
]


def padded(source: Tensor, sizes: Tensor, rows: list[int], extra: int, vocab: int = VOCAB) -> tuple[Tensor, Tensor]:
    """These rows as a batch, `extra` columns too wide, with noise wherever there is no word."""
    chosen, longest = sizes[rows], int(sizes[rows].max())
    batch = torch.cat([source[rows, :longest], words(len(rows), extra, vocab)], dim=1)
    noise = words(*batch.shape, vocab)
    return torch.where(torch.arange(longest + extra) < chosen[:, None], batch, noise), chosen


def batches(rows: int, size: int) -> list[list[int]]:
    return [part.tolist() for part in torch.randperm(rows).split(size)]


def texts(hypotheses: list[Hypothesis]) -> list[list[int]]:
    return [h.tokens for h in hypotheses]


def searched(
    model: TranslationModel, source: Tensor, sizes: Tensor, parts: list[list[int]], extra: int, **options: Any
) -> dict[int, list[Hypothesis]]:
    found = {}
    for rows in parts:
        batch, chosen = padded(source, sizes, rows, extra, model.config.source_vocab)
        most = [int(n) + 4 for n in chosen]
        with torch.no_grad():
            results = run(model, most, model.encode(batch, chosen), numbers=rows, **options)
        found.update(zip(rows, results, strict=True))
    return found


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary", "none"])
@settings(max_examples=5, deadline=None)
@given(norm=st.sampled_from(["post", "pre"]), extra=st.integers(0, 9), seed=st.integers(0, 2**31))
@torch.no_grad()
def test_features_and_forced_logits(positions: str, norm: str, extra: int, seed: int) -> None:
    torch.manual_seed(seed)
    check_features_and_logits(small_model(positions=positions, norm=norm), extra)


@pytest.mark.parametrize("name", NEW)
@torch.no_grad()
def test_features_and_forced_logits_of_every_model(name: str) -> None:
    check_features_and_logits(MODELS[name](), extra=3)


def check_features_and_logits(model: TranslationModel, extra: int) -> None:
    source, sizes, target = words(5, LONGEST), lengths(5, LONGEST), targets(5, 7)
    batch, _ = padded(source, sizes, list(range(5)), extra)
    features = model.encode(batch, sizes).features
    longer = torch.cat([target, words(5, extra)], dim=1)
    logits = model(batch, sizes, longer)[:, :7]
    for row in range(5):
        n = int(sizes[row])
        alone = source[row : row + 1, :n], sizes[row : row + 1]
        torch.testing.assert_close(features[row, :n], model.encode(*alone).features[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(logits[row], model(*alone, target[row : row + 1])[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("options", SEARCHES, ids=str)
@pytest.mark.parametrize("positions", ["sinusoidal", "rotary"])
def test_search_alone_is_search_in_any_batch(options: dict[str, Any], positions: str) -> None:
    """In float64: a random model has near ties, which the last bit of fp32 decides now and then."""
    check_search(small_model(positions=positions).double(), options, [(ROWS, 0), (3, 5)])


@pytest.mark.parametrize("options", [SEARCHES[1], SEARCHES[3]], ids=str)
@pytest.mark.parametrize("name", NEW)
def test_search_with_every_model(options: dict[str, Any], name: str) -> None:
    check_search(MODELS[name]().double(), options, [(4, 5)], rows=4)


def check_search(
    model: TranslationModel,
    options: dict[str, Any],
    parts: list[tuple[int, int]],
    rows: int = ROWS,
) -> None:
    source, sizes = words(rows, LONGEST), lengths(rows, LONGEST)
    alone = searched(model, source, sizes, [[row] for row in range(rows)], 0, **options)
    for size, extra in parts:
        together = searched(model, source, sizes, batches(rows, size), extra, **options)
        assert [texts(together[row]) for row in range(rows)] == [texts(alone[row]) for row in range(rows)]
        for row in range(rows):
            for one, other in zip(together[row], alone[row], strict=True):
                assert one.score == pytest.approx(other.score, abs=1e-4)
                assert one.log_probability == pytest.approx(other.log_probability, abs=1e-4)


@pytest.mark.parametrize("options", SEARCHES, ids=str)
def test_in_fp32_no_line_of_a_trained_model_changes(options: dict[str, Any]) -> None:
    model = toy.trained()
    source, sizes, _, _ = toy.draw(100)
    alone = searched(model, source, sizes, [[row] for row in range(100)], 0, **options)
    for size, extra in ((7, 3), (100, 2)):
        together = searched(model, source, sizes, batches(100, size), extra, **options)
        for row in range(100):
            assert texts(together[row]) == texts(alone[row])
            for one, other in zip(together[row], alone[row], strict=True):
                assert one.score == pytest.approx(other.score, abs=1e-4)


@pytest.mark.parametrize("beam", [1, 4])
def test_in_bf16_at_most_one_line_in_a_hundred_changes(beam: int) -> None:
    model = copy.deepcopy(toy.trained()).to(torch.bfloat16)
    source, sizes, _, _ = toy.draw(300)
    # small batches and a large one; one sentence a call would take long
    few = searched(model, source, sizes, batches(300, 5), 0, beam=beam)
    many = searched(model, source, sizes, batches(300, 150), 2, beam=beam)
    changed = sum(many[row][0].tokens != few[row][0].tokens for row in range(300))
    assert changed <= 3


@pytest.mark.parametrize("name", WRITERS)
@torch.no_grad()
def test_neighbours_change_nothing_over_images(name: str) -> None:
    model, given, target = WRITERS[name](), images(ROWS), targets(ROWS, 7)
    features, logits = model.encode(given).features, model(given, target)
    for row in range(ROWS):
        alone = given[row : row + 1]
        torch.testing.assert_close(features[row], model.encode(alone).features[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(logits[row], model(alone, target[row : row + 1])[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("options", [SEARCHES[1], SEARCHES[3]], ids=str)
@pytest.mark.parametrize("name", WRITERS)
@torch.no_grad()
def test_search_over_an_image_alone_is_search_in_any_batch(options: dict[str, Any], name: str) -> None:
    model, given = WRITERS[name]().double(), images(4)

    def found(rows: list[int]) -> list[list[Hypothesis]]:
        return run(model, [9] * len(rows), model.encode(given[rows]), numbers=rows, **options)

    order = torch.randperm(4).tolist()
    for row, together in zip(order, found(order), strict=True):
        (alone,) = found([row])
        assert texts(together) == texts(alone)
        for one, other in zip(together, alone, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-4)


@pytest.mark.parametrize("name", READERS)
@torch.no_grad()
def test_a_word_alone_is_read_as_in_any_batch(name: str) -> None:
    model, given = READERS[name]().double(), images(ROWS)
    logits = model(given)
    together = prefix_search(logits, 4, 3)
    for row, likeliest in enumerate(greedy(logits)):
        alone = model(given[row : row + 1])
        torch.testing.assert_close(alone[0], logits[row], rtol=1e-6, atol=1e-6)
        assert greedy(alone)[0].tokens == likeliest.tokens
        for one, other in zip(prefix_search(alone, 4, 3)[0], together[row], strict=True):
            assert one.tokens == other.tokens
            assert one.score == pytest.approx(other.score, abs=1e-4)
            assert one.confidences == pytest.approx(other.confidences, abs=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_an_empty_source_harms_nobody(name: str) -> None:
    model = MODELS[name]().double()
    source, sizes = words(5, LONGEST), torch.tensor([LONGEST, 0, 3, 5, 7])
    found = run(model, [9] * 5, model.encode(source, sizes), beam=3)
    others = [0, 2, 3, 4]
    without = run(model, [9] * 4, model.encode(source[others], sizes[others]), beam=3)
    assert [found[i][0].tokens for i in others] == [h[0].tokens for h in without]
    assert torch.isfinite(torch.tensor([h[0].score for h in found])).all()
