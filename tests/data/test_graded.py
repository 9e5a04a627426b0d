"""Graded pairs in the layouts that they are published in, and one's own; what is wrong is named or counted."""

import gzip
import json
from pathlib import Path

import pytest

from jumok.data.graded import read_graded
from jumok.errors import UserError


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def test_sts_b_with_quotes_and_more_columns(tmp_path: Path) -> None:
    path = write(
        tmp_path / "sts-dev.csv",
        'main-news\theadlines\t2015\t0001\t3.500\tHe said "no.\tShe said "yes"\tmore\tand more',
        "main-forums\tanswers\t2015\t0002\t0.0\tone,\ttwo",
    )
    pairs = read_graded(path)
    assert pairs.lefts == ['He said "no.', "one,"]
    assert pairs.rights == ['She said "yes"', "two"]
    assert pairs.grades == [0.7, 0.0]
    assert (pairs.low, pairs.high) == (0, 5)


def test_korsts_and_sick(tmp_path: Path) -> None:
    kor = write(
        tmp_path / "sts-dev.tsv",
        "genre\tfilename\tyear\tid\tscore\tsentence1\tsentence2",
        "news\tx\t2012\t1\t5.000\t비가 온다.\t비가  내린다.",
    )
    assert read_graded(kor).rights == ["비가 내린다."]
    rows = ("7\tA dog\tA cat\t1.0\tNEUTRAL", "9\tA man\tA person\t4.6\tENTAILMENT")
    for header in ((), ("pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment",)):
        sick = read_graded(write(tmp_path / "SICK.txt", *header, *rows))
        assert sick.labels == ["NEUTRAL", "ENTAILMENT"]
        assert sick.grades == [0.0, pytest.approx(0.9)]


def test_one_s_own(tmp_path: Path) -> None:
    named = write(tmp_path / "own.tsv", "label\tsentence2\tsentence1", "same\tb\ta")
    assert (read_graded(named).lefts, read_graded(named).labels) == (["a"], ["same"])
    with pytest.raises(UserError, match="1 pairs have no score"):
        _ = read_graded(named).grades
    assert read_graded(write(tmp_path / "three.tsv", "a\tb\t2.5")).grades == [0.5]
    assert read_graded(tmp_path / "three.tsv", (0.0, 10.0)).grades == [0.25]
    path = tmp_path / "own.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps({"sentence1": "a", "sentence2": "b", "score": 4}).encode()))
    assert read_graded(path).grades == [0.8]


def test_what_cannot_be_used_is_counted(tmp_path: Path) -> None:
    pairs = read_graded(write(tmp_path / "own.tsv", "a\tb\t2.5", "  \tb\t1", "a\tc\t7.2", "a\td\t-1"))
    assert (len(pairs), pairs.empty, pairs.outside) == (1, 1, 2)
    assert "line 3: the score 7.2 is not within 0 to 5" in pairs.notices[0]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("a\tb\tmuch",), r"line 1: the score is 'much', not a number"),
        (("a\tb\tnan",), "give a number"),
        (("a\tb\t1", "a\tb"), r"line 2: 2 columns, 3 are expected"),
        (("a\tb",), "name them in the first line"),
        (("\tb\t1",), "holds no pair to use: 1 with an empty side"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_graded(write(tmp_path / "own.tsv", *lines))


def test_jsonl_that_is_no_pair(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="an object of two texts and a score"):
        read_graded(write(tmp_path / "own.jsonl", '{"sentence1": "a"}'))
