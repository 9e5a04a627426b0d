"""The commands for sentences: exact shapes, keys and scales, and every mistake one clear message."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from tests.commands import jumok, mistake
from tests.tasks import sentences

import jumok as package
from jumok.tasks.embed_predict import SentenceEmbedder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sentences, a recipe and a run that was trained by the command."""
    folder = tmp_path_factory.mktemp("embed")
    sentences.write_data(folder / "data")
    values = sentences.recipe_values(folder / "data", folder / "run")
    (folder / "small.yaml").write_text(yaml.safe_dump(values))
    result = jumok("train", folder / "small.yaml", "seed=2")
    assert result.code == 0, result.err
    assert "contrastive: 40 pairs" in result.err
    assert "val: 12 graded pairs" in result.err
    assert "kept for training: " in result.err
    return folder


def corpus(home: Path) -> list[str]:
    return (home / "data" / "corpus.txt").read_text().splitlines()


def test_embed_writes_a_row_a_line(home: Path, tmp_path: Path) -> None:
    lines = [*corpus(home)[:5], "", "ein\u0308 안녕"]
    text = "".join(f"{line}\n" for line in lines)
    result = jumok("embed", home / "run", "-o", tmp_path / "vectors.npy", stdin=text)
    assert result.code == 0, result.err
    assert "1 of 7 lines are empty" in result.err
    vectors = np.load(tmp_path / "vectors.npy", allow_pickle=False)
    assert vectors.shape == (7, 16)
    assert vectors.dtype == np.float32
    loaded = package.load(str(home / "run"))
    assert isinstance(loaded, SentenceEmbedder)
    np.testing.assert_allclose(vectors, loaded(lines), atol=1e-5)
    assert not vectors[5].any()


def test_long_lines_are_told(home: Path, tmp_path: Path) -> None:
    text = "red star " * 10_000
    for windows in ([], ["--windows"]):
        result = jumok("embed", home / "run", "-o", tmp_path / "v.npy", *windows, stdin=text)
        assert "1 of 1 lines are longer than the model's 40 pieces" in result.err
        assert ("read in windows" in result.err) == bool(windows)


def test_nothing_in_nothing_out(home: Path, tmp_path: Path) -> None:
    assert jumok("embed", home / "run", "-o", tmp_path / "v.npy").code == 0
    assert np.load(tmp_path / "v.npy").shape == (0, 16)


def test_search_finds_the_sentence_itself(home: Path, tmp_path: Path) -> None:
    lines = corpus(home)
    result = jumok("search", home / "run", home / "data" / "corpus.txt", lines[3], "--top", 3)
    assert result.code == 0, result.err
    rows = [line.split("\t") for line in result.out.splitlines()]
    assert len(rows) == 3
    assert rows[0][1:] == ["4", lines[3]]
    assert float(rows[0][0]) == pytest.approx(1, abs=1e-4)
    cosines = [float(row[0]) for row in rows]
    assert cosines == sorted(cosines, reverse=True)
    exact = jumok("search", home / "run", home / "data" / "corpus.txt", lines[3], lines[7], "--json")
    near = jumok("search", home / "run", home / "data" / "corpus.txt", lines[3], lines[7], "--json", "--approximate")
    assert [json.loads(line)["query"] for line in exact.out.splitlines()] == [lines[3], lines[7]]
    assert near.out == exact.out, "of 24 sentences the index misses none"


def test_search_takes_vectors_and_standard_input(home: Path, tmp_path: Path) -> None:
    path, text = home / "data" / "corpus.txt", (home / "data" / "corpus.txt").read_text()
    jumok("embed", home / "run", "-o", tmp_path / "v.npy", stdin=text)
    given = jumok("search", home / "run", path, "--vectors", tmp_path / "v.npy", stdin="a red star\n")
    assert given.out == jumok("search", home / "run", path, "a red star").out
    (tmp_path / "few.txt").write_text("a\nb\n")
    message = mistake("search", home / "run", tmp_path / "few.txt", "a", "--vectors", tmp_path / "v.npy")
    assert "2 vectors of 16 numbers are needed" in message
    assert "there is no query" in mistake("search", home / "run", path)
    (tmp_path / "empty.txt").write_text("\n \n")
    assert "every line of the corpus is empty" in mistake("search", home / "run", tmp_path / "empty.txt", "a")


def test_the_same_sentence_is_found_once(home: Path, tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("a red star\n\na  red star\na box\n")
    result = jumok("search", home / "run", tmp_path / "c.txt", "a red star")
    assert [line.split("\t")[1] for line in result.out.splitlines()] == ["1", "4"]


def test_evaluate_writes_the_keys_and_scales(home: Path, tmp_path: Path) -> None:
    given = ["evaluate", home / "run", "--sts", home / "data" / "val.tsv", "--json", tmp_path / "out.json"]
    result = jumok(*given, "-o", tmp_path / "cosines.tsv", "--against", home / "run")
    assert result.code == 0, result.err
    values = json.loads((tmp_path / "out.json").read_text())
    assert {"spearman", "pearson", "baseline_tfidf_spearman"} <= values.keys()
    assert -100 <= values["spearman"] <= 100
    assert values["against"]["spearman"] == values["spearman"]
    assert "tf-idf of characters" in result.out
    rows = [line.split("\t") for line in (tmp_path / "cosines.tsv").read_text().splitlines()]
    assert len(rows) == 12
    assert all(-1 <= float(row[0]) <= 1 for row in rows)


def test_bad_pairs_are_counted(home: Path, tmp_path: Path) -> None:
    (tmp_path / "own.tsv").write_text('a "red" star\ta box\t2\na star\t\t3\na\tb\t9\na box\ta star\t1\n')
    result = jumok("evaluate", home / "run", "--sts", tmp_path / "own.tsv")
    assert result.code == 0, result.err
    assert "2 pairs are left out: 1 with an empty side, 1 with a score that is not within 0 to 5" in result.err
    assert "line 3: the score 9 is not within 0 to 5" in result.err
    assert "score it with --sts" in mistake("evaluate", home / "run", "--source", tmp_path / "own.tsv")
    (tmp_path / "bad.tsv").write_text("a\tb\thigh\n")
    assert "not a number" in mistake("evaluate", home / "run", "--sts", tmp_path / "bad.tsv")


def test_attention_shows_why_two_are_near(home: Path, tmp_path: Path) -> None:
    lines = corpus(home)
    result = jumok("attention", home / "run", lines[0], lines[1], "-o", tmp_path / "page.html")
    assert result.code == 0, result.err
    assert -1 <= float(result.out) <= 1
    page = (tmp_path / "page.html").read_text()
    assert "http" not in page.replace("http-equiv", "")
    assert "give two sentences" in mistake("attention", home / "run", lines[0], "-o", tmp_path / "page.html")


def test_export_is_for_bert(home: Path, tmp_path: Path) -> None:
    message = mistake("export", home / "run", "--to", "sentence-transformers", tmp_path / "out")
    assert "train one with model.preset = bert" in message
    assert not (tmp_path / "out").exists()
    bert = sentences.train_run(
        sentences.recipe_values(home / "data", tmp_path / "bert", "bert", steps=1, validate_every=1)
    )
    result = jumok("export", bert, "--to", "sentence-transformers", tmp_path / "out")
    assert result.code == 0, result.err
    assert {"modules.json", "model.safetensors", "tokenizer.json"} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }


def test_a_damaged_run_is_named(home: Path, tmp_path: Path) -> None:
    assert "this needs a translator" in mistake("translate", home / "run", stdin="a\n")
    assert "embed" in jumok("info", home / "run").out


def test_the_demo_shows_what_it_learnt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # data of an earlier demo are used again: fewer here
    data = sentences.write_data(tmp_path / "runs" / "demo-embed-data" / "embed")
    (data / "README.txt").write_text("all of it is there")
    changes = ["training.steps=2", "training.epochs=null", "training.schedule=constant", "training.validate_every=2"]
    result = jumok(
        "demo", "embed", *changes, "model.dim=16", "model.heads=2", "model.depth=1", "training.batch_pairs=16"
    )
    assert result.code == 0, result.err
    assert "the paraphrase is found" in result.out
    assert "tf-idf of characters" in result.out
    apart = next(line for line in result.out.splitlines() if "a swap is told apart" in line)
    assert float(apart.split()[-1]) == 50, "who counts words cannot tell who stands where"
    assert (tmp_path / "attention.html").is_file()
