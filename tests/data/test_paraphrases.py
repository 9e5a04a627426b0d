"""Generated paraphrases: what is said to mean the same does, what is said not to does not."""

from pathlib import Path

from jumok.data.graded import read_graded
from jumok.data.paraphrases import exchanged, likeness, swapped, write_paraphrases
from jumok.data.scenes import Scene, Thing, caption, parse, scenes, things_in
from jumok.data.sentences import read_groups

A, B = Thing("small", "red", "star"), Thing("large", "blue", "circle")


def test_likeness_counts_facts() -> None:
    scene = Scene(A, "left", B)
    assert likeness(scene, scene) == 5
    assert likeness(scene, Scene(A, "above", B)) == 5 * 6 / 7
    assert likeness(scene, Scene(A)) == 5 * 3 / 7
    assert likeness(scene, Scene(B, "left", A)) == 5 / 7
    assert swapped(Scene(A)) is None
    assert swapped(Scene(A, "inside", B)) is None


def test_exchanged_word_for_word(seed: int) -> None:
    for scene, rng in scenes(50, seed, "train"):
        other, text = swapped(scene), caption(scene, rng)
        assert len(things_in(text)) == 1 + (scene.second is not None)
        if other is not None:
            exchange = exchanged(text)
            assert parse(exchange) == other
            assert sorted(exchange.split()) == sorted(text.split())
            assert exchanged(exchange) == text


def test_files_say_what_they_promise(tmp_path: Path, seed: int) -> None:
    write_paraphrases(tmp_path, train=30, val=40, seed=seed, each=2)
    train = read_groups([tmp_path / "train.tsv"])
    learnt = set()
    for group in train.groups:
        anchor, positive = (parse(text) for text in group.texts)
        assert anchor is not None
        assert anchor == positive
        other = swapped(anchor)
        assert group.negatives == ((exchanged(group.texts[1]),) if other else ())
        assert [parse(text) for text in group.negatives] == ([other] if other else [])
        learnt |= {anchor, other} - {None}
    corpus = (tmp_path / "corpus.txt").read_text().splitlines()
    assert not learnt & {parse(line) for line in corpus}
    pairs = read_groups([tmp_path / "pairs.tsv"])
    for group in pairs.groups:
        scene = parse(group.texts[1])
        assert scene is not None
        other = swapped(scene)
        assert [parse(text) for text in group.negatives] == ([other] if other else [])
    assert [text for group in pairs.groups for text in group.texts] == corpus
    graded = read_graded(tmp_path / "val.tsv")
    for left, right, score in zip(graded.lefts, graded.rights, graded.scores, strict=True):
        first, second = parse(left), parse(right)
        assert first is not None
        assert second is not None
        assert score is not None
        assert abs(likeness(first, second) - score) < 0.005
    assert len(train.groups) == 60
    assert len({parse(group.texts[0]) for group in train.groups}) == 30, "each scene twice"
    assert len({parse(group.texts[0]) for group in pairs.groups}) == 40, "no scene twice"


def test_the_seed_decides(tmp_path: Path) -> None:
    written = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        write_paraphrases(tmp_path / name, 5, 5, seed)
        written.append((tmp_path / name / "train.tsv").read_text())
    assert written[0] == written[1] != written[2]
