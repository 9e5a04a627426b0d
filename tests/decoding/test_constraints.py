"""Each constraint sets what it forbids to -inf, leaves the rest as it was, and search obeys."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decoding.run import run
from tests.decoding.table import BEGIN, END, FIRST, PAD, TableModel, repeats
from tests.models.small import lengths, small_model, words

from jumok.decoding.constraints import Constraint, Lengths, Never, NoRepeat, OrEnd, Prefixes

ROWS, BEAMS, VOCAB = 3, 2, 7


def applied(constraint: Constraint, written: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The forbidden places, after a check that all others are untouched."""
    logits = torch.randn(ROWS, BEAMS, VOCAB)
    changed = logits.clone()
    constraint(changed, written, torch.arange(ROWS))
    forbidden = changed == -torch.inf
    assert torch.equal(changed[~forbidden], logits[~forbidden])
    return forbidden.unbind(0)


def test_never() -> None:
    for row in applied(Never([PAD, BEGIN]), torch.empty(ROWS, BEAMS, 0, dtype=torch.long)):
        assert torch.equal(row, torch.tensor([[True, True, *[False] * 5]] * BEAMS))


@pytest.mark.parametrize("length", range(6))
def test_lengths(length: int) -> None:
    maxima = torch.tensor([2, 4, 9])
    written = torch.randint(FIRST, VOCAB, (ROWS, BEAMS, length))
    for row, maximum in zip(applied(Lengths(3, maxima, END), written), maxima.tolist(), strict=True):
        end_alone = torch.arange(VOCAB) != END
        if length >= maximum:  # the maximum is stronger than the minimum
            assert torch.equal(row, end_alone.expand(BEAMS, -1))
        else:
            assert torch.equal(row, (~end_alone & (length < 3)).expand(BEAMS, -1))


@pytest.mark.parametrize("length", range(4))
def test_prefixes(length: int) -> None:
    prefixes = [[5, 4], [], [6, 6, 3]]
    written = torch.randint(FIRST, VOCAB, (ROWS, BEAMS, length))
    for row, prefix in zip(applied(Prefixes(prefixes, []), written), prefixes, strict=True):
        allowed = torch.arange(VOCAB) == prefix[length] if length < len(prefix) else torch.ones(VOCAB).bool()
        assert torch.equal(row, ~allowed.expand(BEAMS, -1))


def test_a_prefix_is_stronger_than_the_others_and_they_rule_after_it() -> None:
    others = Never([4, 5])
    for length in range(3):
        written = torch.randint(FIRST, VOCAB, (ROWS, BEAMS, length))
        rows = applied(Prefixes([[5, 4], [], [6]], [others]), written)
        for row, prefix in zip(rows, [[5, 4], [], [6]], strict=True):
            allowed = {prefix[length]} if length < len(prefix) else set(range(VOCAB)) - {4, 5}
            assert torch.equal(row, torch.tensor([t not in allowed for t in range(VOCAB)]).expand(BEAMS, -1))


def test_where_nothing_is_left_the_output_ends() -> None:
    written = torch.tensor([[[3, 4, 5, 6], [3, 4, 3, 4]], [[3] * 4] * 2, [[6, 5, 4, 3], [3, 3, 3, 3]]])
    everything_but_words = Never([PAD, BEGIN, END])
    rows = applied(OrEnd(END, [everything_but_words, NoRepeat(1)]), written)
    for row, texts in zip(rows, written.tolist(), strict=True):
        for beam, text in zip(row, texts, strict=True):
            allowed = {3, 4, 5, 6} - set(text) or {END}
            assert beam.tolist() == [token not in allowed for token in range(VOCAB)]


@settings(max_examples=40, deadline=None)
@given(size=st.integers(1, 4), length=st.integers(0, 9), seed=st.integers(0, 2**31))
def test_no_repeat(size: int, length: int, seed: int) -> None:
    torch.manual_seed(seed)
    written = torch.randint(FIRST, VOCAB, (ROWS, BEAMS, length))
    for row, texts in zip(applied(NoRepeat(size), written), written.tolist(), strict=True):
        for beam, text in zip(row, texts, strict=True):
            grams = {tuple(text[i : i + size]) for i in range(length - size + 1)}
            tail = text[length - size + 1 :] if size > 1 else []
            expected = [length >= size and (*tail, token) in grams for token in range(VOCAB)]
            assert beam.tolist() == expected


@pytest.mark.parametrize("options", [{"beam": 4, "n_best": 4}, {"beam": 1}, {"sample": True, "n_best": 4}], ids=str)
@torch.no_grad()
def test_outputs_hold_no_padding_no_begin_and_no_end(options: dict[str, int]) -> None:
    model = TableModel(3, 9)
    model.logits[..., [PAD, BEGIN]] += 5  # a model that badly wants them
    for hypotheses in run(model, [8] * 9, **options):
        assert hypotheses
        for h in hypotheses:
            assert not {PAD, BEGIN, END} & set(h.tokens)


@pytest.mark.parametrize("options", [{"beam": 3, "n_best": 3}, {"beam": 1}, {"sample": True, "n_best": 3}], ids=str)
@pytest.mark.parametrize("end", [-9.0, 0.0, 9.0])
@torch.no_grad()
def test_lengths_are_kept(options: dict[str, int], end: float) -> None:
    maxima = [2, 5, 7, 11]
    for hypotheses, maximum in zip(
        run(TableModel(5, 4, end=end), maxima, min_length=4, **options), maxima, strict=True
    ):
        assert hypotheses
        for h in hypotheses:
            assert min(4, maximum) <= len(h.tokens) <= maximum
            assert h.log_probability > -torch.inf


@pytest.mark.parametrize("options", [{"beam": 3, "n_best": 3}, {"beam": 1}, {"sample": True, "n_best": 3}], ids=str)
@torch.no_grad()
def test_prefixes_are_kept_and_what_follows_is_the_models(options: dict[str, int]) -> None:
    model = TableModel(5, 5, end=-1.0)
    prefixes = [[4, 4, 5], [], [7], [3, 6], [5] * 6]
    for row, hypotheses in enumerate(run(model, [6] * 5, prefixes=prefixes, **options)):
        assert hypotheses
        for h in hypotheses:
            assert h.tokens[: len(prefixes[row])] == prefixes[row]
            assert h.log_probability == pytest.approx(model.score(row, tuple(h.tokens)), abs=1e-4)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("options", [{"beam": 3, "n_best": 3}, {"beam": 1}, {"sample": True, "n_best": 3}], ids=str)
@torch.no_grad()
def test_nothing_is_repeated(size: int, options: dict[str, int]) -> None:
    model = TableModel(5, 7, end=-9.0)
    for hypotheses in run(model, [5 if size == 1 else 20] * 7, no_repeat_ngram=size, **options):
        assert hypotheses
        for h in hypotheses:
            assert not repeats(tuple(h.tokens), size)


@torch.no_grad()
def test_a_guard_against_loops_breaks_a_loop() -> None:
    model = TableModel(5, 1, sharpness=0.1)
    model.logits[..., FIRST] += 5
    assert run(model, [12], beam=1)[0][0].tokens == [FIRST] * 12
    guarded = run(model, [12], beam=1, no_repeat_ngram=2)[0][0].tokens
    assert guarded[:2] == [FIRST, FIRST]
    assert not repeats(tuple(guarded), 2)


@pytest.mark.parametrize("options", [{"beam": 3, "n_best": 1}, {"beam": 1}, {"sample": True, "n_best": 1}], ids=str)
@pytest.mark.parametrize(
    "wish",
    [
        {"prefixes": [[3, 4, 3, 4, 3, 4], []], "max_lengths": [4, 4]},  # longer than the maximum
        {"prefixes": [[3, 4, 3, 4, 3], []], "max_lengths": [9, 9], "no_repeat_ngram": 2},  # a prefix that repeats
        {"max_lengths": [9, 9], "no_repeat_ngram": 1, "min_length": 7},  # only three words to write seven with
    ],
    ids=["prefix-past-maximum", "prefix-repeats", "words-run-out"],
)
@torch.no_grad()
def test_wishes_that_cannot_all_be_kept_still_give_an_output(
    options: dict[str, int], wish: dict[str, list[list[int]]]
) -> None:
    """An empty list of hypotheses would be a line lost."""
    model = TableModel(3, 2)
    wish = dict(wish)
    found = run(model, wish.pop("max_lengths"), **options, **wish)
    for hypotheses in found:
        assert len(hypotheses) == 1
        assert hypotheses[0].log_probability > -torch.inf
        assert not {PAD, BEGIN, END} & set(hypotheses[0].tokens)


@torch.no_grad()
def test_a_transformer_obeys_too() -> None:
    model = small_model()
    source, sizes = words(5, 7), lengths(5, 7)
    prefixes = [[9, 9, 8], [], [30], [4, 5], [11] * 4]
    found = run(
        model,
        [12, 12, 3, 7, 12],
        model.encode(source, sizes),
        prefixes=prefixes,
        min_length=5,
        no_repeat_ngram=3,
        beam=3,
        n_best=3,
    )
    for hypotheses, prefix, maximum in zip(found, prefixes, [12, 12, 3, 7, 12], strict=True):
        for h in hypotheses:
            assert h.tokens[: len(prefix)] == prefix
            assert min(5, maximum) <= len(h.tokens) <= maximum
            assert not repeats(tuple(h.tokens[len(prefix) :]), 3)
