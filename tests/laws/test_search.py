"""Beam search as wide as the space is brute force; narrower, it is the textbook's loop; its scores are the model's."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.decoding.run import run
from tests.decoding.table import BEGIN, END, FIRST, PAD, Mean, TableModel, penalty, repeats
from tests.models.small import MODELS, NEW, lengths, small_model, words
from tests.models.small_images import WRITERS, inputs

from jumok.decoding.protocol import Ensemble
from jumok.decoding.search import Hypothesis
from jumok.models.image_to_text import ImageToText
from jumok.models.translators import TranslationModel

Text = tuple[int, ...]


def check_against(
    found: list[Hypothesis], score: Callable[[Text], float], texts: Sequence[Text], alpha: float, wanted: int
) -> None:
    """`found` are the `wanted` best of `texts`, in order, with their scores."""
    true = {text: score(text) for text in texts}
    ranked = sorted((log_p / penalty(len(text) + 1, alpha) for text, log_p in true.items()), reverse=True)
    assert len(found) == min(wanted, len(texts))
    assert len({tuple(h.tokens) for h in found}) == len(found)
    for hypothesis, best in zip(found, ranked, strict=False):
        log_p = true[tuple(hypothesis.tokens)]
        assert hypothesis.log_probability == pytest.approx(log_p, abs=1e-4)
        assert hypothesis.score == pytest.approx(log_p / penalty(len(hypothesis.tokens) + 1, alpha), abs=1e-4)
        assert hypothesis.score == pytest.approx(best, abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(
    words=st.integers(1, 5),
    longest=st.integers(1, 4),
    alpha=st.sampled_from([0.0, 0.6, 1.0, 2.0]),
    sharpness=st.sampled_from([0.3, 1.0, 3.0]),
    end=st.sampled_from([-2.0, 0.0, 2.0]),
    seed=st.integers(0, 2**31),
    data=st.data(),
)
def test_as_wide_as_the_space_is_brute_force(
    words: int, longest: int, alpha: float, sharpness: float, end: float, seed: int, data: st.DataObject
) -> None:
    torch.manual_seed(seed)
    longest = min(longest, 3) if words == 5 else longest
    model = TableModel(words, 2, sharpness, end)
    texts = model.every_text(longest)
    n_best = data.draw(st.integers(1, len(texts)) | st.just(len(texts)))
    found = run(model, [longest] * 2, beam=len(texts), n_best=n_best, length_penalty=alpha)
    for sentence in range(2):
        check_against(found[sentence], lambda t, s=sentence: model.score(s, t), texts, alpha, n_best)


@settings(max_examples=15, deadline=None)
@given(size=st.integers(1, 3), minimum=st.integers(0, 3), seed=st.integers(0, 2**31), data=st.data())
def test_constrained_is_brute_force_over_what_is_allowed(
    size: int, minimum: int, seed: int, data: st.DataObject
) -> None:
    torch.manual_seed(seed)
    model = TableModel(4, 1, 1.0)
    prefix = tuple(data.draw(st.lists(st.sampled_from(model.words), max_size=2)))
    texts = [
        text
        for text in model.every_text(4)
        if len(text) >= minimum and text[: len(prefix)] == prefix and not repeats(text, size)
    ]
    if not texts:
        return
    found = run(
        model,
        [4],
        beam=400,
        n_best=400,
        min_length=minimum,
        no_repeat_ngram=size,
        prefixes=[list(prefix)],
        length_penalty=0.6,
    )
    check_against(found[0], lambda t: model.score(0, t), texts, 0.6, 400)


@settings(max_examples=10, deadline=None)
@given(members=st.integers(1, 3), seed=st.integers(0, 2**31))
def test_an_ensemble_is_the_mean_of_probabilities(members: int, seed: int) -> None:
    torch.manual_seed(seed)
    models = [TableModel(3, 2, 2.0) for _ in range(members)]
    models[-1].logits += 3.0  # an offset of one member's logits means nothing
    ensemble = Ensemble(models, [["a", "b"]] * members)
    texts = models[0].every_text(3)
    numbers = torch.arange(2)
    found = run(ensemble, [3, 3], [numbers] * members, beam=len(texts), n_best=len(texts))
    mean = Mean(models)
    for sentence in range(2):
        check_against(found[sentence], lambda t, s=sentence: mean.score(s, t), texts, 1.0, len(texts))


def textbook(
    model: TableModel, sentence: int, beam: int, longest: int, alpha: float, wanted: int
) -> list[tuple[float, Text]]:
    """The rules of the docstring, one beam and one token at a time."""
    live: list[tuple[float, Text]] = [(0.0, ())]
    done: list[tuple[float, Text]] = []
    ended: list[float] = []
    for length in range(longest + 1):
        following: list[tuple[float, Text, int]] = []
        for log_p, text in live:
            row = model.log_p(sentence, text)
            allowed = [END] if length == longest else [END, *model.words]
            following += [(log_p + float(row[token]), text, token) for token in allowed]
        following = sorted(following, key=lambda c: -c[0])[: 2 * beam]
        for log_p, text, token in following[:beam]:
            if token == END:
                done.append((log_p / penalty(length + 1, alpha), text))
                ended.append(log_p)
        live = [(log_p, (*text, token)) for log_p, text, token in following if token != END][:beam]
        done = sorted(done, key=lambda c: -c[0])
        if not live or sum(log_p >= max(live)[0] for log_p in ended) >= beam:
            break
        if len(done) >= wanted and max(live)[0] / penalty(longest + 1, alpha) <= done[wanted - 1][0]:
            break
    return done[:wanted]


@settings(max_examples=40, deadline=None)
@given(
    words=st.integers(1, 9),
    longest=st.integers(1, 9),
    beam=st.integers(1, 6),
    alpha=st.sampled_from([0.0, 0.6, 1.0, 2.0]),
    end=st.sampled_from([-2.0, 0.0, 1.0]),
    seed=st.integers(0, 2**31),
    data=st.data(),
)
def test_any_beam_is_the_textbooks(
    words: int, longest: int, beam: int, alpha: float, end: float, seed: int, data: st.DataObject
) -> None:
    torch.manual_seed(seed)
    model = TableModel(words, 3, 2.0, end)
    maxima = data.draw(st.lists(st.integers(1, longest), min_size=3, max_size=3))
    n_best = data.draw(st.integers(1, beam))
    found = run(model, maxima, beam=beam, n_best=n_best, length_penalty=alpha)
    for sentence, (hypotheses, maximum) in enumerate(zip(found, maxima, strict=True)):
        expected = textbook(model, sentence, beam, maximum, alpha, n_best)
        assert [tuple(h.tokens) for h in hypotheses] == [text for _, text in expected]
        for hypothesis, (score, text) in zip(hypotheses, expected, strict=True):
            assert hypothesis.score == pytest.approx(score, abs=1e-4)
            assert hypothesis.log_probability == pytest.approx(model.score(sentence, text), abs=1e-4)


@settings(max_examples=20, deadline=None)
@given(words=st.integers(1, 70), longest=st.integers(1, 12), seed=st.integers(0, 2**31))
def test_one_beam_is_the_likeliest_token_each_time(words: int, longest: int, seed: int) -> None:
    torch.manual_seed(seed)
    model = TableModel(words, 3, 2.0, end=1.0)
    found = run(model, [longest] * 3, beam=1)
    for sentence in range(3):
        text: list[int] = []
        while len(text) < longest:
            row = model.log_p(sentence, tuple(text))
            row[[PAD, BEGIN]] = -torch.inf
            if int(row.argmax()) == END:
                break
            text.append(int(row.argmax()))
        assert found[sentence][0].tokens == text


@pytest.mark.parametrize("positions", ["sinusoidal", "rotary"])
@pytest.mark.parametrize("options", [{"beam": 1}, {"beam": 5, "n_best": 5}, {"sample": True, "n_best": 3}], ids=str)
@torch.no_grad()
def test_a_transformers_scores_are_those_of_a_forced_pass(positions: str, options: dict[str, Any]) -> None:
    check_scores(small_model(positions=positions), options)


@pytest.mark.parametrize("options", [{"beam": 5, "n_best": 5}, {"sample": True, "n_best": 3}], ids=str)
@pytest.mark.parametrize("name", [*NEW, *WRITERS])
@torch.no_grad()
def test_any_models_scores_are_those_of_a_forced_pass(name: str, options: dict[str, Any]) -> None:
    check_scores((MODELS | WRITERS)[name](), options)


def check_scores(model: TranslationModel | ImageToText, options: dict[str, Any]) -> None:
    given = inputs(model, 5, 7)
    found = run(model, [9] * 5, model.encode(*given), length_penalty=0.6, **options)
    for row, hypotheses in enumerate(found):
        assert len(hypotheses) == options.get("n_best", 1)
        for h in hypotheses:
            target = torch.tensor([[BEGIN, *h.tokens]])
            labels = torch.tensor([*h.tokens, END])
            log_p = model(*(part[row : row + 1] for part in given), target)[0].log_softmax(-1)
            forced = float(log_p.gather(1, labels[:, None]).sum())
            assert h.log_probability == pytest.approx(forced, abs=1e-3)
            assert h.score == pytest.approx(forced / penalty(len(labels), 0.6), abs=1e-3)


@pytest.mark.parametrize("name", [*MODELS, *WRITERS])
@torch.no_grad()
def test_a_models_search_as_wide_as_the_space_is_brute_force(name: str) -> None:
    model = WRITERS[name](vocab_size=8) if name in WRITERS else MODELS[name](source_vocab=8, target_vocab=8)
    given = inputs(model, 2, 5) if name in WRITERS else (words(2, 5, 8), lengths(2, 5))
    texts = TableModel(5).every_text(2)
    found = run(model, [2, 2], model.encode(*given), beam=len(texts), n_best=len(texts))

    def forced(row: int, text: Text) -> float:
        logits = model(*(part[row : row + 1] for part in given), torch.tensor([[BEGIN, *text]]))
        return float(logits[0].log_softmax(-1).gather(1, torch.tensor([*text, END])[:, None]).sum())

    for row in range(2):
        check_against(found[row], lambda t, r=row: forced(r, t), texts, 1.0, len(texts))


@settings(max_examples=20, deadline=None)
@given(beam=st.integers(2, 6), longest=st.integers(4, 9), seed=st.integers(0, 2**31))
def test_a_sure_model_is_not_cut_off(beam: int, longest: int, seed: int) -> None:
    """Where one word has nearly all the probability, the next candidates are poor ends, which must not end it."""
    torch.manual_seed(seed)
    model = TableModel(7, 1, 0.3, end=2.0)
    text = tuple(torch.randint(FIRST, model.vocab, (longest,)).tolist())
    places = [torch.tensor(0)]
    for token in (BEGIN, *text):
        places.append(model._next(places[-1], torch.tensor(token)))
    assume(len(set(map(int, places[1:]))) == longest + 1)  # two histories at one place: two sure words there
    model.logits[0, places[1:], [*text, END]] = 14.0
    assert tuple(run(model, [longest + 3], beam=beam)[0][0].tokens) == text
