"""Laws of the report on sentences: what a training leaves out is counted, what looks wrong is told."""

import json
import random
import re
from pathlib import Path

import pytest
from tests.commands import jumok, mistake
from tests.tasks.sentences import OBJECTIVES, make_task, recipe_values, write_data

from jumok.data.graded import is_graded, read_graded
from jumok.data.sentence_report import SentencePart, Sentences, check_sentences
from jumok.data.sentences import read_groups
from jumok.errors import UserError


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def part(train: Sentences, *held_out: Sentences, lowercase: bool = False) -> SentencePart:
    report = check_sentences([("train", train)], [("val", other) for other in held_out], lowercase=lowercase)
    return report.train[0]


def test_pairs_with_hard_negatives(tmp_path: Path) -> None:
    lines = ("a\tb\tc", "a\tb\tc", "a\t\tc", "d\td\te f g h i", "u\u0308\tx\tx", "p\tq\t")
    found = part(read_groups([write(tmp_path / "a.tsv", *lines)]))
    assert (found.kind, found.examples, found.sentences) == ("pairs", 5, 9)
    assert (found.duplicates, found.alike, found.hard, found.false, found.changed) == (1, 1, 4, 1, 1)
    assert found.left_out == (("empty, or without a partner", ("line 3",)),)
    assert found.lengths == [("1-4", 8), ("5-8", 1)]
    assert (found.longest, found.mean) == (5, pytest.approx(13 / 9))


def test_graded_and_labelled_pairs(tmp_path: Path) -> None:
    lines = [
        "sentence1\tsentence2\tscore\tlabel",
        "a\tb\t0\tx",
        "a\tb\t5\tx",
        "a\tb\t5\ty",
        "c\td\t4.99\t-",
        "e\t\t1\tx",
    ]
    path = write(tmp_path / "own.tsv", *lines, *(f"c{i}\td\t7\tx" for i in range(7)))
    report = check_sentences([("train", read_graded(path))])
    found = report.train[0]
    assert (found.kind, found.examples) == ("graded and labelled pairs", 4)
    assert (found.duplicates, found.contrary) == (2, 2)
    assert found.grades == [("0-1", 1), ("1-2", 0), ("2-3", 0), ("3-4", 0), ("4-5", 3)]
    assert found.labels == [("x", 2), ("y", 1)]
    text = report.text()
    assert "left out: 1, a side is empty: line 6" in text
    assert "left out: 7, the score is not within 0 to 5: line 7, line 8, line 9, line 10, line 11 and 2 more" in text
    assert text.splitlines()[-1] == "kept for training: 4 of 4 examples"
    snli = write(tmp_path / "nli.tsv", "gold_label\tsentence1\tsentence2", "entailment\ta\tb", "-\ta\tc")
    report = check_sentences([("entailment", read_graded(snli))])
    assert report.train[0].unsaid == 1
    assert report.text().endswith("kept for training: 1 of 2 examples")


def test_every_layout_says_where(tmp_path: Path) -> None:
    objects = [{"captions": ["a", "b", "c"]}, {"captions": ["d", " "]}, {"anchor": "e", "positive": "f"}]
    groups = part(read_groups([write(tmp_path / "a.jsonl", *map(json.dumps, objects))]))
    assert (groups.kind, groups.left_out[0][1]) == ("groups of 2 to 3 sentences", ("line 2",))
    captions = part(read_groups([write(tmp_path / "f.tsv", "1.jpg#0\ta", "1.jpg#1\tb", "2.jpg#0\tc")]))
    assert (captions.kind, captions.left_out[0][1]) == ("groups of 2 sentences", ("2.jpg",))
    lines = part(read_groups([write(tmp_path / "lines.txt", "a b", "", "c")]))
    assert (lines.kind, lines.left_out[0][1]) == ("sentences, each its own partner", ("line 2",))
    left, right = write(tmp_path / "a.en", "one", "", "two"), write(tmp_path / "a.ko", "하나", "둘", "셋")
    aligned = part(read_groups([left, right]))
    assert (aligned.kind, aligned.left_out[0][1]) == ("pairs", ("line 2",))
    graded = {"sentence1": "a", "sentence2": "b", "score": 9}
    own = write(tmp_path / "b.jsonl", json.dumps(graded), json.dumps(graded | {"score": 3}))
    assert read_graded(own).strays == ("line 1",)


def test_held_out_is_what_a_training_leaves_out(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)

    def pairs(name: str, count: int) -> Path:
        return write(tmp_path / name, *(f"s{rng.randrange(30)}\tS{rng.randrange(30)}" for _ in range(count)))

    train, one = read_groups([pairs("train.tsv", 60)]), read_groups([pairs("one.tsv", 3)])
    other = read_graded(write(tmp_path / "other.tsv", "s1\tS2\t3", "s3\tx\t2"))
    found = part(train, one, other)
    sets = [{text for group in one.groups for text in group.texts}, {*other.lefts, *other.rights}]
    counts = [train.without(texts)[1] for texts in sets]
    assert found.held_out == {str(tmp_path / "one.tsv"): counts[0], str(tmp_path / "other.tsv"): counts[1]}
    assert found.lost == train.without(sets[0] | sets[1])[1]
    shout = read_groups([write(tmp_path / "shout.tsv", *(f"{text.upper()}\t{text}" for text in ("q", "S1", "r")))])
    assert [part(shout, other, lowercase=lowercase).lost for lowercase in (False, True)] == [0, 1]
    captions = read_groups([write(tmp_path / "f.tsv", "1.jpg\ta", "1.jpg\tb", "1.jpg\tc", "2.jpg\td", "2.jpg\ta")])
    alone = read_groups([write(tmp_path / "alone.txt", "a")])
    assert part(captions, alone).lost == captions.without({"a"})[1] == 1
    with pytest.raises(UserError, match="left to learn from"):
        part(one, one)


@pytest.mark.parametrize(
    ("line", "graded"),
    [
        ("main\tnews\t2012\t1\t3.5\ta\tb", True),
        ("7\ta\tb\t4.6\tENTAILMENT", True),
        ("label\tsentence1\tsentence2", True),
        ("a\tb\t2.5", True),
        ("a\tb\tc", False),
        ("a\tb", False),
        ("anchor\tpositive\tnegative", False),
        ("a\tb\tc\td\te\tf\tg", False),
        ("a sentence", False),
    ],
)
def test_a_file_is_known_by_its_first_line(tmp_path: Path, line: str, graded: bool) -> None:
    assert is_graded(write(tmp_path / "x.tsv", line)) == graded
    assert is_graded(write(tmp_path / "x.jsonl", '{"Sentence1": "a", "sentence2": "b", "score": 1}'))
    assert not is_graded(write(tmp_path / "x.jsonl", '{"anchor": "a", "positive": "b"}'))


def test_the_command_looks_at_a_file_and_at_a_recipe(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    result = jumok(
        "data", "check", data / "train.tsv", "--held-out", data / "val.tsv", "--held-out", data / "pairs.tsv"
    )
    assert result.code == 0, result.err
    assert re.search(r"^train: 40 pairs, \d+ with hard negatives", result.out)
    assert "held out: 12 graded pairs" in result.out
    assert "kept for training: 40 of 40 examples" in result.out
    both = jumok("data", "check", data / "left.txt", data / "right.txt", "--held-out", data / "val.tsv")
    assert "train: 40 pairs" in both.out
    recipe = tmp_path / "own.yaml"
    recipe.write_text(json.dumps(recipe_values(data, tmp_path / "run")))  # JSON is YAML
    result = jumok("data", "check", recipe, "data.lowercase=true")
    assert result.code == 0, result.err
    for objective in OBJECTIVES:
        assert f"\n{objective['kind']}: " in f"\n{result.out}"
    task = make_task(recipe_values(data, tmp_path / "run"))
    total = sum(len(source.examples) for source in task.sources)
    assert f"kept for training: {total} of {total} examples" in result.out


def test_what_does_not_belong_is_refused(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    train, val = data / "train.tsv", data / "val.tsv"
    assert "check the file, not the folder" in mistake("data", "check", data)
    assert "--test-source means nothing to sentences" in mistake("data", "check", train, "--test-source", val)
    assert "--images means nothing to files of translations" in mistake("data", "check", train, val, "--images", data)
    assert "--held-out means nothing to a folder" in mistake("data", "check", tmp_path, "--held-out", val)
    assert "is one file too many" in mistake("data", "check", train, val, val)
    other = write(tmp_path / "other.yaml", "task: classify")
    assert "no recipe of sentence vectors" in mistake("data", "check", other)
