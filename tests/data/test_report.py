"""The data report: every pair is either kept or counted under one reason."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumok.data.report import check
from jumok.data.text import Corpus
from jumok.errors import UserError


def corpus(pairs: list[tuple[str, str]], name: str = "train", changed: int = 0) -> Corpus:
    return Corpus([s for s, _ in pairs], [t for _, t in pairs], name, (Path(f"{name}.de"), Path(f"{name}.en")), changed)


SENTENCE = st.lists(st.sampled_from(["a", "b", "주목"]), max_size=6).map(" ".join)


@given(st.lists(st.tuples(SENTENCE, SENTENCE), min_size=1), st.integers(1, 5))
def test_kept_and_dropped_partition_the_pairs(pairs: list[tuple[str, str]], limit: int) -> None:
    good = [i for i, (s, t) in enumerate(pairs) if s and t and max(len(s.split()), len(t.split())) <= limit]
    if not good:
        with pytest.raises(UserError, match="left to train on"):
            check(corpus(pairs), max_length=limit)
        return
    report = check(corpus(pairs), max_length=limit)
    assert report.keep == good
    dropped = [i for drop in report.drops for i in drop.indices]
    assert sorted([*report.keep, *dropped]) == list(range(len(pairs)))
    assert sum(report.as_dict()["dropped"].values()) == len(dropped)
    assert report.train.duplicates == len(pairs) - len(set(pairs))
    assert sum(row[2] for row in report.histogram.bins) == len(pairs)
    assert sum(row[3] for row in report.histogram.bins) == len(pairs)


def test_everything_found_is_told() -> None:
    train = corpus(
        [("a b", "x y"), ("a b", "x y"), ("", "lonely"), ("  ", "z"), ("c", ""), ("long " * 10_000, "w")], changed=3
    )
    val = corpus([("a b", "x y"), ("a b", "other"), ("", "nothing"), ("new", "new")], "val")
    report = check(train, [val], max_length=256)
    assert (report.train.empty_sources, report.train.empty_targets, report.train.duplicates) == (2, 1, 1)
    assert (report.others[0].overlap_sources, report.others[0].overlap_pairs) == (2, 1)
    assert report.keep == [0, 1]
    text = report.text()
    for part in [
        "train: 6 pairs",
        "empty sides: 2 source, 1 target",
        "1 pairs (16.67 %) repeat an earlier one (kept)",
        "also in train: 2 sources, 1 whole pairs",
        "3 lines were not in the Unicode normal form NFC",
        "longest 10,000 | 2",
        "dropped: 3 (50.00 %), a side is empty: pairs 3, 4, 5",
        "dropped: 1 (16.67 %), a side is longer than 256 words: pair 6",
        "kept for training: 2 of 6 pairs",
        "█",
    ]:
        assert part in text


def test_piece_lengths_replace_words() -> None:
    train = corpus([("one word", "x"), ("two", "y"), ("", "z")])
    report = check(train, lengths=([300, 3, 0], [2, 2, 1]), max_length=256)
    assert report.keep == [1]
    assert {drop.reason: drop.indices for drop in report.drops} == {
        "a side is empty": [2],
        "a side is longer than 256 pieces": [0],
    }
    with pytest.raises(ValueError, match="lengths for 2 sources"):
        check(train, lengths=([1, 2], [1, 2, 3]))


def test_a_clean_corpus_loses_nothing() -> None:
    report = check(corpus([("a", "b"), ("c", "d")]))
    assert report.keep == [0, 1]
    assert report.drops == []
    assert "dropped" not in report.text()


def test_two_hundred_thousand_pairs_take_seconds() -> None:
    pairs = [(f"sentence number {i} of many", f"Satz Nummer {i} von vielen") for i in range(200_000)]
    started = time.process_time()
    report = check(corpus(pairs), [corpus(pairs[:1000], "val")])
    assert time.process_time() - started < 10
    assert report.others[0].overlap_pairs == 1000
