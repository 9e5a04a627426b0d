"""What is read off a CTC head is what brute force over all alignments says."""

import itertools
import math
import time

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.decoding.alignments import every_text, joined, likeliest_alignment

from jumok.decoding.ctc import greedy, places, prefix_search
from jumok.decoding.search import Hypothesis

ROWS = 3
SIZES = st.sampled_from(
    [(1, 5), (2, 4), (3, 4), (4, 3), (5, 3), (6, 2), (7, 2), (4, 4)]
)  # frames, tokens with the blank


@settings(max_examples=30, deadline=None)
@given(
    sizes=SIZES,
    sharpness=st.sampled_from([0.1, 1.0, 4.0]),
    blank=st.sampled_from([-2.0, 0.0, 3.0]),
    seed=st.integers(0, 2**31),
)
def test_as_wide_as_the_space_is_brute_force(sizes: tuple[int, int], sharpness: float, blank: float, seed: int) -> None:
    torch.manual_seed(seed)
    logits = torch.randn(ROWS, *sizes) * sharpness
    logits[..., 0] += blank
    probabilities = logits.double().softmax(-1)
    found = prefix_search(logits, 400, 400, threshold=0.0)
    for row in range(ROWS):
        true = every_text(probabilities[row])
        assert len({tuple(reading.tokens) for reading in found[row]}) == len(found[row]) == len(true)
        for reading, best in zip(found[row], sorted(true.values(), reverse=True), strict=True):
            assert reading.log_probability == reading.score
            assert reading.log_probability == pytest.approx(math.log(true[tuple(reading.tokens)]), abs=1e-4)
            assert reading.log_probability == pytest.approx(math.log(best), abs=1e-4)


@settings(max_examples=20, deadline=None)
@given(sizes=SIZES, sharpness=st.sampled_from([0.3, 1.0, 4.0]), seed=st.integers(0, 2**31))
def test_greedy_reads_the_likeliest_alignment(sizes: tuple[int, int], sharpness: float, seed: int) -> None:
    torch.manual_seed(seed)
    logits = torch.randn(ROWS, *sizes) * sharpness
    probabilities = logits.double().softmax(-1)
    for row, reading in enumerate(greedy(logits)):
        text = joined(tuple(probabilities[row].argmax(-1).tolist()))
        assert tuple(reading.tokens) == text
        assert reading.log_probability == pytest.approx(math.log(every_text(probabilities[row])[text]), abs=1e-4)
        best, sure = likeliest_alignment(probabilities[row], text)
        assert best == pytest.approx(float(probabilities[row].amax(-1).prod()), rel=1e-6)
        assert reading.confidences == pytest.approx(sure, abs=1e-5)


@settings(max_examples=20, deadline=None)
@given(sizes=SIZES, seed=st.integers(0, 2**31))
def test_a_token_is_as_sure_as_its_surest_frame(sizes: tuple[int, int], seed: int) -> None:
    torch.manual_seed(seed)
    logits = torch.randn(ROWS, *sizes) * 2
    probabilities = logits.double().softmax(-1)
    for row, readings in enumerate(prefix_search(logits, 8, 5, threshold=0.0)):
        for reading in readings:
            _, sure = likeliest_alignment(probabilities[row], tuple(reading.tokens))
            assert reading.confidences == pytest.approx(sure, abs=1e-5)


@settings(max_examples=15, deadline=None)
@given(sizes=SIZES, seed=st.integers(0, 2**31))
def test_the_place_of_a_token_is_its_surest_frame(sizes: tuple[int, int], seed: int) -> None:
    torch.manual_seed(seed)
    logits = torch.randn(ROWS, *sizes) * 2
    for row, readings in enumerate(prefix_search(logits, 8, 5, threshold=0.0)):
        probabilities = logits[row].softmax(-1)
        for reading in readings:
            found = places(logits[row], reading.tokens)
            assert found == sorted(set(found))
            said = [float(probabilities[t, token]) for t, token in zip(found, reading.tokens, strict=True)]
            assert said == pytest.approx(reading.confidences, abs=1e-5)


def test_a_text_that_does_not_fit_has_no_places() -> None:
    assert places(torch.randn(3, 5), []) == []
    assert places(torch.randn(3, 5), [2, 2]) == [0, 2]
    with pytest.raises(ValueError, match="needs 3 frames is given, and 2 frames"):
        places(torch.randn(2, 5), [2, 2])


def textbook(probabilities: torch.Tensor, beams: int, threshold: float) -> list[tuple[int, ...]]:
    """Algorithm 1 of Hannun et al. 2014, one prefix and one token at a time: the prefixes that live at the end."""
    living: dict[tuple[int, ...], tuple[float, float]] = {(): (1.0, 0.0)}
    for frame in probabilities.double().tolist():
        assume(all(abs(p - threshold) > 1e-4 * threshold for p in frame))
        following: dict[tuple[int, ...], list[float]] = {}
        for prefix, (blank, token) in living.items():
            stays = following.setdefault(prefix, [0.0, 0.0])
            stays[0] += (blank + token) * frame[0]
            if prefix:
                stays[1] += token * frame[prefix[-1]]
            for v, p in enumerate(frame):
                # into a prefix that lives a token may grow however unlikely it is
                if v and (p >= threshold or (*prefix, v) in living):
                    grown = following.setdefault((*prefix, v), [0.0, 0.0])
                    grown[1] += (blank if prefix and prefix[-1] == v else blank + token) * p
        ranked = sorted(following.items(), key=lambda item: -sum(item[1]))
        if len(ranked) > beams:  # what fp32 cannot tell apart is no case
            assume(sum(ranked[beams - 1][1]) > sum(ranked[beams][1]) * (1 + 1e-4))
        living = {prefix: (blank, token) for prefix, (blank, token) in ranked[:beams] if blank + token}
    return list(living)


@settings(max_examples=30, deadline=None)
@given(
    frames=st.integers(1, 12),
    tokens=st.integers(2, 9),
    beams=st.integers(1, 6),
    threshold=st.sampled_from([0.0, 1e-3, 0.05, 0.3]),
    sharpness=st.sampled_from([0.5, 2.0, 5.0]),
    seed=st.integers(0, 2**31),
)
def test_any_beam_is_the_textbooks(
    frames: int, tokens: int, beams: int, threshold: float, sharpness: float, seed: int
) -> None:
    torch.manual_seed(seed)
    logits = torch.randn(ROWS, frames, tokens) * sharpness
    logits[..., 0] += sharpness
    probabilities = logits.double().softmax(-1)
    found = prefix_search(logits, beams, beams, threshold=threshold)
    for row, readings in enumerate(found):
        assert {tuple(reading.tokens) for reading in readings} == set(textbook(probabilities[row], beams, threshold))
        assert readings == sorted(readings, key=lambda reading: -reading.score)


def test_the_likeliest_text_need_not_be_the_likeliest_alignments() -> None:
    """Graves et al. 2006, section 3.2: two frames, blank 0.6 and a token 0.4 in each."""
    logits = torch.tensor([[[0.6, 0.4], [0.6, 0.4]]]).log()
    assert greedy(logits)[0].tokens == []
    (best,) = prefix_search(logits, 2)[0]
    assert best.tokens == [1]
    assert math.exp(best.log_probability) == pytest.approx(0.64, abs=1e-5)
    assert best.confidences == pytest.approx([0.4], abs=1e-5)


def test_a_token_twice_needs_a_blank_between() -> None:
    says = torch.full((1, 5, 4), -9.0)
    for frame, token in enumerate([3, 3, 0, 3, 1]):
        says[0, frame, token] = 9.0
    for reading in (greedy(says)[0], prefix_search(says, 4)[0][0]):
        assert reading.tokens == [3, 3, 1]
        assert min(reading.confidences) > 0.999
        assert reading.log_probability == pytest.approx(0.0, abs=1e-3)
        assert isinstance(reading, Hypothesis)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_nothing_but_blanks_is_an_empty_text(dtype: torch.dtype) -> None:
    silent = torch.zeros(2, 6, 5, dtype=dtype)
    silent[..., 0] = 20
    mixed = torch.cat([silent[:1], torch.randn(1, 6, 5).to(dtype)])
    searched = [readings[0] for readings in prefix_search(silent, 4, 2)]
    for reading in (*greedy(silent), *searched, greedy(mixed)[0]):
        assert (reading.tokens, reading.confidences) == ([], [])
        assert reading.log_probability == pytest.approx(0, abs=1e-6)


def test_pruning_and_beams_lose_little_of_a_sure_reading() -> None:
    """Of words that are read with some doubt, as a trained reader reads: the search that prunes finds the best."""
    logits = torch.randn(16, 20, 40)
    said = torch.randint(1, 40, (16, 20))
    said[:, ::2] = 0
    logits.scatter_(2, said[..., None], 7 + torch.randn(16, 20, 1))
    wide = prefix_search(logits, 60, 2, threshold=0.0)
    for one, other in zip(prefix_search(logits, 8, 2), wide, strict=True):
        assert one[0].tokens == other[0].tokens
        assert one[0].log_probability == pytest.approx(other[0].log_probability, abs=1e-4)


def test_a_batch_is_read_in_little_time() -> None:
    """64 words of 32 frames and 100 symbols: a few ms, and far below a second; with room for a busy machine."""
    logits = torch.randn(64, 32, 100)
    logits.scatter_(2, torch.randint(100, (64, 32, 1)), 9.0)

    def seconds(work: object) -> float:
        assert callable(work)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        return min(times)

    assert seconds(lambda: greedy(logits)) < 0.1
    assert seconds(lambda: prefix_search(logits, 8)) < 1.0


def test_every_text_of_the_tests_own_brute_force() -> None:
    """The oracle: the texts' probabilities sum to 1, and there are as many as there should be."""
    probabilities = torch.rand(4, 3).softmax(-1)
    texts = every_text(probabilities)
    assert sum(texts.values()) == pytest.approx(1)
    fitting = [
        text
        for size in range(5)
        for text in itertools.product((1, 2), repeat=size)
        if size + sum(one == other for one, other in itertools.pairwise(text)) <= 4
    ]
    assert set(texts) == set(fitting)
