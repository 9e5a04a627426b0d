"""The commands for words: exact shapes, keys and scales, and every mistake one clear message."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from tests.commands import jumok, mistake
from tests.data.pictures import noise, save
from tests.data.test_word_images import write_lmdb
from tests.data.typefaces import system_font
from tests.tasks import words

import jumok as package
from jumok.data import signs
from jumok.data.word_images import read_words
from jumok.tasks.read_predict import Reader


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Words, a recipe and a run that was trained by the command."""
    folder = tmp_path_factory.mktemp("words")
    words.write_data(folder / "data")
    values = words.recipe_values(folder / "data", folder / "run")
    (folder / "small.yaml").write_text(yaml.safe_dump(values))
    result = jumok("train", folder / "small.yaml", "data.rendered=8")
    assert result.code == 0, result.err
    assert "train: 48 words" in result.err
    assert "drawn: 8 words an epoch" in result.err
    return folder


def crops(home: Path) -> list[Path]:
    return sorted((home / "data" / "val").rglob("*.png"))


def test_evaluate_writes_the_keys_and_scales(home: Path, tmp_path: Path) -> None:
    given = ["evaluate", home / "run", "--images", home / "data", "--labels", home / "data" / "val.tsv"]
    written = ["--json", tmp_path / "out.json", "-o", tmp_path / "read.tsv", "--mistakes", tmp_path / "m.html"]
    result = jumok(*given, *written, "--rotations")
    assert result.code == 0, result.err
    values = json.loads((tmp_path / "out.json").read_text())
    assert {"word_accuracy", "word_accuracy_36", "cer", "ned", "jamo_cer", "jamo_ned", "words"} <= values.keys()
    assert 0 <= values["word_accuracy"] <= 100
    assert 0 <= values["ned"] <= 100
    assert values["words"] == 16 == sum(row["words"] for row in values["by_length"])
    assert values["word_accuracy_36"] is None, "no label has a Latin letter"
    assert "word accuracy" in result.out
    rows = [line.split("\t") for line in (tmp_path / "read.tsv").read_text().splitlines()]
    assert [len(row) for row in rows] == [4] * 16
    page = (tmp_path / "m.html").read_text()
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("data:image/png;base64,") == 16 - round(values["word_accuracy"] * 16 / 100)


def test_evaluate_compares_two_runs_and_reads_other_layouts(home: Path, tmp_path: Path) -> None:
    texts = [line.split("\t") for line in (home / "data" / "val.tsv").read_text().splitlines()]
    images = [(home / "data" / name).read_bytes() for name, _ in texts]
    write_lmdb(tmp_path / "lmdb", images, [text.encode() for _, text in texts])
    out = tmp_path / "out.json"
    result = jumok("evaluate", home / "run", "--images", tmp_path / "lmdb", "--against", home / "run", "--json", out)
    assert result.code == 0, result.err
    values = json.loads(out.read_text())
    assert values["words"] == 16
    assert values["against"]["comparisons"]["word_accuracy"]["p_value"] == 1.0
    assert "give a list" in mistake("evaluate", home / "run", "--images", home / "data")
    assert "--labels" in mistake("evaluate", home / "run", "--source", out, "--target", out)
    assert "int8" in mistake("evaluate", home / "run", "--images", tmp_path / "lmdb", "--precision", "int8")


def test_what_is_bad_is_counted_and_nothing_else_is_lost(home: Path, tmp_path: Path) -> None:
    lines = (home / "data" / "val.tsv").read_text().splitlines()
    extra = ["absent.png\t가", "grey.png\t나", "clear.png\t다", "strip.png\t라", "empty.png\t", "text.png\t마",
             "long.png\t" + "바" * 40, "other.png\txyz"]  # fmt: skip
    for name in ("val", "train"):
        shutil.copytree(home / "data" / name, tmp_path / name)
    save(tmp_path / "grey.png", noise(20, 10, 1))
    save(tmp_path / "clear.png", np.dstack([noise(20, 10), noise(20, 10, 1)]))
    for name in ("strip", "empty", "long", "other"):
        save(tmp_path / f"{name}.png", noise(200, 1, seed=len(name)))
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "labels.tsv").write_text("\n".join([*lines, *extra]))
    out = tmp_path / "out.json"
    result = jumok("evaluate", home / "run", "--images", tmp_path, "--labels", tmp_path / "labels.tsv", "--json", out)
    assert result.code == 0, result.err
    values = json.loads(out.read_text())
    assert values["words"] == 16 + 5
    assert values["unreadable"] == 2
    assert values["without_text"] == 1
    assert values["outside_charset"] == {"x": 1, "y": 1, "z": 1}
    assert "absent: 1, skipped" in result.err
    assert "1 words are longer than the model's" in result.err
    # the same list to train on: counted too, and the training runs
    shutil.copy(tmp_path / "labels.tsv", tmp_path / "train.tsv")
    shutil.copy(home / "data" / "val.tsv", tmp_path / "val.tsv")
    given = [f"data.folder={tmp_path}", f"run={tmp_path / 'run'}", "training.steps=1", "data.charset=hangul2350"]
    result = jumok("train", home / "small.yaml", *given)
    assert result.code == 0, result.err
    assert "train: 19 words" in result.err
    assert "1 labels hold nothing else, left out" in result.err


def test_read_prints_text_and_confidence(home: Path) -> None:
    one = crops(home)[0]
    result = jumok("read", home / "run", one, home / "data" / "val")
    assert result.code == 0, result.err
    lines = [line.split("\t") for line in result.out.splitlines()]
    assert len(lines) == 1 + 16
    assert lines[0][0] == str(one)
    assert all(len(line) == 3 and 0 <= float(line[2]) <= 1 for line in lines)
    found = json.loads(jumok("read", home / "run", one, "--json", "--beam", 3, "--rotations").out)
    assert list(found) == ["path", "text", "confidence", "characters"]
    assert "".join(character for character, _ in found["characters"]) == found["text"]
    rounded = jumok("read", home / "run", one, "--precision", "bf16")
    assert rounded.code == 0, rounded.err
    loaded = package.load(str(home / "run"))
    assert isinstance(loaded, Reader)
    assert loaded([one])[0].text == lines[0][1]
    assert "finds no words on a page" in " ".join(jumok("read", "--help").out.split())


def test_what_cannot_be_read_is_skipped_named_and_counted(home: Path, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    save(tmp_path / "strip.png", noise(200, 1))
    result = jumok("read", home / "run", crops(home)[0], tmp_path)
    assert result.code == 0
    assert len(result.out.splitlines()) == 2
    assert "2 of 4 files could not be read" in result.err
    assert f"skipped {tmp_path / 'empty.png'}: the file is empty" in result.err
    assert "none of the 1 files" in mistake("read", home / "run", tmp_path / "text.png")
    assert "there is no" in mistake("read", home / "run", tmp_path / "missing.png")


def test_several_texts_of_a_crop(home: Path) -> None:
    result = jumok("read", home / "run", *crops(home)[:2], "--n-best", 3, "--beam", 5)
    assert result.code == 0, result.err
    rows = [line.split("\t") for line in result.out.splitlines()]
    assert [row[0] for row in rows] == [str(crop) for crop in crops(home)[:2] for _ in range(3)]
    assert len({row[1] for row in rows[:3]}) == 3
    values = [
        json.loads(line)
        for line in jumok("read", home / "run", crops(home)[0], "--json", "--n-best", 3).out.splitlines()
    ]
    assert [len(value["others"]) for value in values] == [2]
    assert values[0]["others"][0].keys() == {"text", "confidence", "characters"}
    assert "this one reads by CTC" in mistake("read", home / "run", crops(home)[0], "--sample")


def test_rotations_keep_the_surest(home: Path, tmp_path: Path) -> None:
    for name in ("tall", "flat"):
        pixels = np.asarray(Image.open(crops(home)[1]))
        save(tmp_path / f"{name}.png", np.rot90(pixels, 3) if name == "tall" else pixels)
    reader = Reader.load(home / "run", device="cpu")
    plain, tried = (next(reader.predict([tmp_path / "tall.png"], rotations=asked)) for asked in (False, True))
    assert tried.confidence >= plain.confidence
    flat = reader([tmp_path / "flat.png"])[0]
    assert tried.confidence >= flat.confidence * (1 - 1e-4), "one of the turns is how it was"


def test_runs_of_the_wrong_job_and_damaged_ones(home: Path, tmp_path: Path) -> None:
    assert "this needs a reader" in mistake("read", "demo", crops(home)[0])
    assert "this needs a classifier" in mistake("classify", home / "run", crops(home)[0])
    shutil.copytree(home / "run", tmp_path / "run")
    (tmp_path / "run" / "charset.json").unlink()
    assert "charset.json is damaged" in mistake("read", tmp_path / "run", crops(home)[0])
    shutil.copy(home / "run" / "charset.json", tmp_path / "run" / "charset.json")
    values = json.loads((tmp_path / "run" / "charset.json").read_text())
    (tmp_path / "run" / "charset.json").write_text(json.dumps(values | {"characters": "ab"}))
    assert "its character set has 6 tokens" in mistake("read", tmp_path / "run", crops(home)[0])
    assert "read" in jumok("info", home / "run").out


def test_attention_shows_each_character(home: Path, tmp_path: Path) -> None:
    few: dict[str, Any] = {"steps": 1, "validate_every": 1}
    others = [
        words.train_run(words.recipe_values(home / "data", tmp_path / name, name, **few))
        for name in ("reader-transformer", "reader-vit")
    ]
    for run in (home / "run", *others):
        given = ["attention", run, crops(home)[0], "-o", tmp_path / "page.html"]
        result = jumok(*given, "--target", "가나")
        assert result.code == 0, result.err
        assert result.out.strip() == "가나"
        assert (tmp_path / "page_figures" / "words.png").is_file()
        assert "too narrow" in mistake(*given, "--target", "가" * 15) if run == home / "run" else True
    (tmp_path / "text.png").write_text("no picture")
    assert "cannot be used" in mistake("attention", home / "run", tmp_path / "text.png", "-o", tmp_path / "page.html")


def test_data_check_reports_words(home: Path) -> None:
    result = jumok("data", "check", home / "data")
    assert result.code == 0, result.err
    assert "train: 48 words" in result.out
    assert "val: 16 words" in result.out
    assert "length in characters" in result.out


@pytest.mark.system("fonts-dejavu")
def test_the_demo_of_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    quick = ["training.epochs=1", "training.steps=2", "model.dim=16", "model.heads=2", "model.depth=1"]
    words.write_data(tmp_path / "data", 20, 8)
    result = jumok("demo", "read", f"data.folder={tmp_path / 'data'}", *quick)
    assert result.code == 0, result.err
    assert result.out.splitlines()[-1].startswith("word accuracy: ")


@pytest.mark.system("fonts-dejavu")
def test_the_sample_of_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signs, "find_fonts", lambda: [system_font("DejaVuSans.ttf"), system_font("DejaVuSerif.ttf")])
    signs.write_signs(tmp_path, 30, 10, seed=1)
    train, val = (read_words(tmp_path, split) for split in ("train", "val"))
    assert (len(train), len(val)) == (30, 10)
    assert all(isinstance(crop, Path) and crop.is_file() for crop in train.crops)
    assert set("".join(train.texts)) <= set(signs.CHARACTERS)
