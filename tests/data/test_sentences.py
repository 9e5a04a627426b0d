"""Sentences that belong together, from every layout a user may have."""

import json
from pathlib import Path

import pytest

from jumok.data.sentences import Group, read_groups
from jumok.errors import UserError


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def test_aligned_files(tmp_path: Path) -> None:
    left, right = write(tmp_path / "a.en", "one", "", "two  words"), write(tmp_path / "a.ko", "하나", "빈", "두 낱말")
    found = read_groups([left, right])
    assert found.groups == [Group(("one", "하나")), Group(("two words", "두 낱말"))]
    assert found.empty == 1
    write(right, "하나")
    with pytest.raises(UserError, match=r"3 lines, .* has 1"):
        read_groups([left, right])


def test_pairs_with_hard_negatives(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.tsv", "ask\tanswer\tnot\tnor", "ask2\tanswer2\t\tnor2")
    assert read_groups([plain]).groups[1] == Group(("ask2", "answer2"), ("nor2",))
    named = write(tmp_path / "b.tsv", "negative\tpositive\tanchor", "n\tp\ta")
    assert read_groups([named]).groups == [Group(("a", "p"), ("n",))]
    lines = write(tmp_path / "c.jsonl", json.dumps({"query": "a", "answer": "p", "negatives": ["n", "m"]}))
    assert read_groups([lines]).groups == [Group(("a", "p"), ("n", "m"))]


def test_captions_of_one_image_are_partners(tmp_path: Path) -> None:
    rows = ("1.jpg#0\tA dog .", "1.jpg#1\tA  dog .", "1.jpg#2\tAn animal .", "2.jpg#0\tAlone .")
    found = read_groups([write(tmp_path / "f.tsv", *rows)])
    assert found.groups == [Group(("A dog .", "An animal ."), ordered=False)]
    assert found.empty == 1
    lines = write(tmp_path / "f.jsonl", json.dumps({"image": "1.jpg", "captions": ["a", "b", "c"]}))
    assert read_groups([lines]).groups == [Group(("a", "b", "c"), ordered=False)]


def test_lines_are_their_own_partners(tmp_path: Path) -> None:
    found = read_groups([write(tmp_path / "lines.txt", "a line", " ", "another")])
    assert found.groups == [Group(("a line",)), Group(("another",))]


def test_held_out_sentences_take_their_partners_along(tmp_path: Path) -> None:
    found = read_groups([write(tmp_path / "a.tsv", "ask\tanswer", "b\tc")])
    kept, out = found.without({"answer"})
    assert (kept.groups, out) == ([Group(("b", "c"))], 1)
    hard = read_groups([write(tmp_path / "h.tsv", "ask\tanswer\tnot\tnor")])
    kept, out = hard.without({"nor"})
    assert (kept.groups, out) == ([Group(("ask", "answer"), ("not",))], 0), "nor is it learnt as a negative"
    captions = read_groups([write(tmp_path / "f.tsv", "1.jpg\ta", "1.jpg\tb", "1.jpg\tc", "2.jpg\td", "2.jpg\ta")])
    kept, out = captions.without({"a"})
    assert (kept.groups, out) == ([Group(("b", "c"), ordered=False)], 1)


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("a.tsv", ("one column",), r"line 1: 1 columns, 2 are expected"),
        ("a.tsv", ("a\tb", "a\tb\tc"), r"line 2: 3 columns, 2 are expected"),
        ("a.tsv", ("\tb",), "holds no sentences to learn from"),
        ("a.jsonl", ('{"anchor": "a"}',), "an object of texts is expected"),
        ("a.jsonl", ('{"captions": "a"}',), "captions must be a list"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, name: str, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_groups([write(tmp_path / name, *lines)])


def test_three_files_are_no_pair(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="3 files are named"):
        read_groups([tmp_path / "a"] * 3)
