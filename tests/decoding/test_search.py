"""Search beyond the laws: n-best, early ends, sampling and its independence of the batch."""

from collections import Counter
from typing import Any

import pydantic
import pytest
import torch
from tests.decoding.run import run
from tests.decoding.table import BEGIN, END, PAD, TableModel

from jumok.decoding.search import SearchOptions

BEAM: dict[str, Any] = {"beam": 4, "n_best": 4}


def plain(found: list[list[Any]]) -> list[list[tuple[Any, ...]]]:
    return [[(h.tokens, round(h.score, 4), round(h.log_probability, 4)) for h in hypotheses] for hypotheses in found]


@pytest.mark.parametrize("beam", [1, 2, 5, 9])
def test_n_best_are_distinct_and_in_order(beam: int) -> None:
    for hypotheses in run(TableModel(5, 7), [9] * 7, beam=beam, n_best=beam):
        assert 1 <= len(hypotheses) <= beam
        scores = [h.score for h in hypotheses]
        assert scores == sorted(scores, reverse=True)
        assert len({tuple(h.tokens) for h in hypotheses}) == len(hypotheses)


def test_the_best_of_n_is_the_best_of_one() -> None:
    model = TableModel(5, 7)
    one, many = run(model, [9] * 7, beam=5, n_best=1), run(model, [9] * 7, beam=5, n_best=5)
    for few, more in zip(one, many, strict=True):
        assert more[0].score >= few[0].score - 1e-5


def test_a_beam_wider_than_the_vocabulary() -> None:
    model = TableModel(1, 3)
    for row, hypotheses in enumerate(run(model, [5] * 3, beam=50, n_best=50)):
        assert sorted(h.tokens for h in hypotheses) == [[3] * n for n in range(6)]
        for h in hypotheses:
            assert h.log_probability == pytest.approx(model.score(row, tuple(h.tokens)), abs=1e-4)


def test_a_sure_model_stops_at_once() -> None:
    """Nothing is searched that cannot win."""
    model = TableModel(5, 3, end=50.0)
    assert all(h[0].tokens == [] for h in run(model, [200] * 3, beam=4))
    assert model.steps <= 2


def test_a_long_text_may_still_overtake_a_short_one() -> None:
    """The length penalty forgives a sure long text what its first token cost: the search must not stop before it."""
    model = TableModel(3, 1)
    model.logits[:] = -30.0
    model.logits[..., END] = -60.0
    model.logits[..., 3] = 0.0  # on and on
    place = model.begin(torch.arange(1), 1, 9).place
    place = model._next(place, torch.tensor(BEGIN))
    model.logits[0, place, [END, 3]] = torch.tensor([0.55, 0.45]).log()
    for _ in range(9):
        place = model._next(place, torch.tensor(3))
    model.logits[0, place, END] = 30.0  # and then surely the end
    assert run(model, [9], beam=2, length_penalty=1.0)[0][0].tokens == [3] * 9
    assert run(model, [9], beam=2, length_penalty=0.0)[0][0].tokens == []


def test_greedy_stops_when_the_last_sentence_does() -> None:
    model = TableModel(5, 7, end=2.0)
    found = run(model, [200] * 7, beam=1)
    assert model.steps == 1 + max(len(h[0].tokens) for h in found)


@pytest.mark.parametrize("options", [{"beam": 1}, BEAM, {"sample": True, "n_best": 3}], ids=str)
def test_a_sentence_is_searched_alike_alone_and_in_a_batch(options: dict[str, Any]) -> None:
    model, maxima = TableModel(5, 7), [3, 9, 1, 12, 5, 7, 9]
    together = plain(run(model, maxima, **options))
    for row in range(7):
        alone = plain(run(model, [maxima[row]], torch.tensor([row]), numbers=[row], **options))
        assert alone[0] == together[row]
    order = torch.randperm(7).tolist()
    mixed = plain(run(model, [maxima[i] for i in order], torch.tensor(order), numbers=order, **options))
    assert mixed == [together[i] for i in order]


def test_options_are_checked() -> None:
    for wrong in ({"beam": 0}, {"n_best": 0}, {"top_p": 0.0}, {"temperature": 0.0}, {"length_penalty": -1.0}):
        with pytest.raises(pydantic.ValidationError):
            SearchOptions(**wrong)


# ---- sampling


def sampled(model: TableModel, sentence: int, count: int, longest: int, **options: Any) -> Counter[tuple[int, ...]]:
    encoded, numbers = torch.full((count,), sentence), range(1, count + 1)
    found = run(model, [longest] * count, encoded, numbers=numbers, sample=True, **options)
    return Counter(tuple(h.tokens) for hypotheses in found for h in hypotheses)


def chi_square(counts: Counter[tuple[int, ...]], probabilities: dict[tuple[int, ...], float], draws: int) -> None:
    assert set(counts) <= set(probabilities)
    expected = {text: p * draws for text, p in probabilities.items()}
    rare = [text for text, n in expected.items() if n < 5]
    statistic = sum((counts[t] - n) ** 2 / n for t, n in expected.items() if n >= 5)
    if rare:
        n = max(sum(expected[t] for t in rare), 1e-9)
        observed = sum(counts[t] for t in rare)
        assert abs(observed - n) < 7 * n**0.5 + 7
    freedom = max(len(expected) - len(rare), 1)
    # seven standard deviations: a fresh seed each time, and no false alarm in a lifetime
    assert statistic < freedom + 7 * (2 * freedom) ** 0.5 + 14


@pytest.mark.parametrize("n_best", [1, 3])
def test_texts_are_drawn_as_often_as_they_are_likely(n_best: int) -> None:
    model, draws = TableModel(3, 2, 1.0), 6000
    model.logits[..., [PAD, BEGIN]] = -30  # nothing is lost to what may not be written
    # a text as long as allowed ends for sure, so its end costs nothing
    probabilities = {}
    for text in model.every_text(2):
        p = 1.0
        for i, token in enumerate((*text, END)[:2]):
            p *= float(model.log_p(1, text[:i])[token].exp())
        probabilities[text] = p
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-4)
    counts = sampled(model, 1, draws // n_best, 2, n_best=n_best, seed=int(torch.randint(10**6, ())))
    assert sum(counts.values()) == draws
    chi_square(counts, probabilities, draws)


def test_top_k_keeps_to_the_likeliest() -> None:
    model = TableModel(9, 1, end=-30.0)
    model.logits[..., [PAD, BEGIN]] = -30.0
    best = set(model.log_p(0, ()).topk(3).indices.tolist())
    counts = sampled(model, 0, 1000, 1, top_k=3)
    assert {text[0] for text in counts} == best


def test_top_p_keeps_to_the_nucleus() -> None:
    model = TableModel(4, 1)
    probabilities = torch.tensor([0.5, 0.3, 0.15, 0.05])
    model.logits[..., 3:] = probabilities.log()
    model.logits[..., :3] = -60.0
    assert {text[0] for text in sampled(model, 0, 1000, 1, top_p=0.79)} == {3, 4}
    assert {text[0] for text in sampled(model, 0, 1000, 1, top_p=0.4)} == {3}
    assert {text[0] for text in sampled(model, 0, 1000, 1)} == {3, 4, 5, 6}


@pytest.mark.parametrize("cold", [{"temperature": 1e-6}, {"top_k": 1}, {"top_p": 1e-6}], ids=str)
def test_the_coldest_sampling_is_greedy(cold: dict[str, Any]) -> None:
    model = TableModel(5, 7)
    greedy, drawn = run(model, [9] * 7, beam=1), run(model, [9] * 7, sample=True, **cold)
    assert [h[0].tokens for h in drawn] == [h[0].tokens for h in greedy]
    assert [h[0].log_probability for h in drawn] == pytest.approx([h[0].log_probability for h in greedy], abs=1e-4)


def test_scores_of_samples_are_the_models() -> None:
    model = TableModel(5, 7)
    for row, hypotheses in enumerate(run(model, [9] * 7, sample=True, n_best=4, temperature=1.7, top_k=5)):
        assert len(hypotheses) == 4
        for h in hypotheses:
            assert h.log_probability == pytest.approx(model.score(row, tuple(h.tokens)), abs=1e-4)


def test_a_seed_draws_the_same_text_and_another_seed_another() -> None:
    model = TableModel(9, 1, end=-3.0)
    encoded, texts = torch.zeros(5, dtype=torch.long), {}
    for seed in (0, 1, 2, 2**31, 2**32, 2**40 + 1):
        first, second = (plain(run(model, [20] * 5, encoded, sample=True, seed=seed)) for _ in range(2))
        assert first == second
        texts[seed] = str(first)
    assert len(set(texts.values())) == len(texts)


def test_sentences_and_draws_have_their_own_chances() -> None:
    model = TableModel(9, 1, end=-3.0)
    found = run(model, [20] * 7, torch.zeros(7, dtype=torch.long), sample=True, n_best=3)
    assert len({tuple(h.tokens) for hypotheses in found for h in hypotheses}) == 21


def test_neighbouring_numbers_draw_independently() -> None:
    """Streams of seeds that differ by one must not run alike."""
    model = TableModel(1, 1)
    model.logits[:] = -60.0
    model.logits[..., [END, 3]] = 0.0  # a coin: end or go on
    count = 4000
    found = run(model, [1] * count, torch.zeros(count, dtype=torch.long), sample=True)
    heads = torch.tensor([len(h[0].tokens) for h in found]).double() - 0.5
    for distance in (1, 2, 3, 7):
        assert abs(float((heads[distance:] * heads[:-distance]).mean() / 0.25)) < 7 / count**0.5
    assert abs(float(heads.mean())) < 7 * 0.5 / count**0.5


def test_sampling_leaves_the_global_random_state_alone() -> None:
    model = TableModel(5, 3)
    before = torch.get_rng_state()
    run(model, [9] * 3, sample=True)
    assert torch.equal(torch.get_rng_state(), before)
