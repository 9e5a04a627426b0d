"""The commands for images: exact shapes, keys and scales, and every mistake one clear message."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from PIL import Image
from tests.commands import jumok, mistake
from tests.data.pictures import bomb, noise, save
from tests.tasks import pictures

import jumok as package
from jumok.tasks.classify_predict import Classifier


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, a recipe and a run that was trained by the command."""
    folder = tmp_path_factory.mktemp("images")
    pictures.write_pictures(folder / "data")
    values = pictures.recipe_values(folder / "data", folder / "run")
    (folder / "small.yaml").write_text(yaml.safe_dump(values))
    result = jumok("train", folder / "small.yaml")
    assert result.code == 0, result.err
    assert "train: 96 images, 8 classes" in result.err
    return folder


def test_evaluate_writes_the_keys_and_scales(home: Path, tmp_path: Path) -> None:
    result = jumok("evaluate", home / "run", "--images", home / "data" / "val", "--json", tmp_path / "out.json")
    assert result.code == 0, result.err
    values = json.loads((tmp_path / "out.json").read_text())
    assert {"top1", "top5", "ece", "per_class", "confusion"} <= values.keys()
    assert 0 <= values["top1"] <= values["top5"] <= 100
    assert 0 <= values["ece"] <= 1
    assert sum(map(sum, values["confusion"])) == values["images"] == 16
    assert list(values["per_class"]) == sorted(path.name for path in (home / "data" / "val").iterdir())
    assert "top-1" in result.out


def test_evaluate_reads_lists_and_compares_two_runs(home: Path, tmp_path: Path) -> None:
    rows = [
        "path,label",
        *(f"{path.relative_to(home)},{path.parent.name}" for path in (home / "data" / "val").glob("*/*")),
    ]
    (tmp_path / "list.csv").write_text("\n".join(rows) + "\n")
    arguments = [
        "--images",
        tmp_path / "list.csv",
        "--image-root",
        home,
        "--json",
        tmp_path / "o",
        "-o",
        tmp_path / "p",
    ]
    result = jumok("evaluate", home / "run", *arguments, "--against", home / "run")
    assert result.code == 0, result.err
    values = json.loads((tmp_path / "o").read_text())
    assert values["against"]["comparison"]["p_value"] == 1.0
    assert len((tmp_path / "p").read_text().splitlines()) == 16
    assert "no class" in mistake("evaluate", home / "run", "--images", home / "data")


def test_classify_names_files_and_folders(home: Path, tmp_path: Path) -> None:
    one = next((home / "data" / "val" / "star").iterdir())
    result = jumok("classify", home / "run", one, home / "data" / "val" / "ring", "--top", 3)
    assert result.code == 0, result.err
    lines = [line.split("\t") for line in result.out.splitlines()]
    assert len(lines) == 3
    assert lines[0][0] == str(one)
    chances = [float(value) for value in lines[0][2::2]]
    assert len(chances) == 3
    assert chances == sorted(chances, reverse=True)
    found = json.loads(jumok("classify", home / "run", one, "--json").out)
    assert found["path"] == str(one)
    assert found["classes"][0]["class"] == lines[0][1]
    loaded = package.load(str(home / "run"))
    assert isinstance(loaded, Classifier)
    assert loaded([one])[0].classes[0][0] == lines[0][1]


def test_what_cannot_be_read_is_skipped_named_and_counted(home: Path, tmp_path: Path) -> None:
    good = next((home / "data" / "val" / "star").iterdir())
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    bomb(tmp_path / "huge.png", 30_000, 30_000)
    save(tmp_path / "whole.png", noise(64, 48))
    (tmp_path / "half.png").write_bytes((tmp_path / "whole.png").read_bytes()[:900])
    Image.fromarray(noise(3, 3)).save(tmp_path / "tiny.png")
    result = jumok("classify", home / "run", good, tmp_path)
    assert result.code == 0
    assert len(result.out.splitlines()) == 3
    assert "4 of 7 files could not be read" in result.err
    for name in ("text.jpg", "empty.png", "huge.png", "half.png"):
        assert f"skipped {tmp_path / name}" in result.err
    assert "none of the 1 files" in mistake("classify", home / "run", tmp_path / "text.jpg")
    assert "there is no" in mistake("classify", home / "run", tmp_path / "missing.jpg")


def test_attention_writes_page_and_figures(home: Path, tmp_path: Path) -> None:
    photo = next((home / "data" / "val" / "star").iterdir())
    rival = pictures.train_run(
        home / "data", tmp_path / "resnet",
        model={"architecture": "resnet", "stem": "small", "widths": [8, 16], "blocks": [1, 1], "image_size": 16},
    )  # fmt: skip
    result = jumok("attention", home / "run", photo, "-o", tmp_path / "map.html", "--with", rival)
    assert result.code == 0, result.err
    page = (tmp_path / "map.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert sorted(path.stem for path in (tmp_path / "map_figures").iterdir()) == [
        "distance", "filters", "layers", "positions", "rollout",
    ]  # fmt: skip
    assert "no attention" in mistake("attention", rival, photo, "-o", tmp_path / "x.html")
    (tmp_path / "text.jpg").write_text("no picture")
    assert "cannot be used" in mistake("attention", home / "run", tmp_path / "text.jpg", "-o", tmp_path / "x.html")
    assert "--target" in mistake("attention", home / "run", photo, "--target", "x", "-o", tmp_path / "x.html")
    assert not (tmp_path / "x.html").exists()


def test_the_worked_example_of_the_literature() -> None:
    result = jumok("info", "vit-b/16", "--shapes", "--json")
    rows = {row["name"]: row for row in json.loads(result.out)}
    assert rows["input"]["shape"] == [1, 3, 224, 224]
    assert rows["encoder.tokens.patches.cut"]["shape"] == [1, 14, 14, 768]
    assert rows["encoder.tokens.patches"]["shape"] == [1, 196, 768]
    assert rows["encoder.tokens"]["shape"] == [1, 197, 768]
    assert rows[""]["shape"] == [1, 1000]
    assert 86.5e6 < rows[""]["parameters"] < 86.6e6
    assert "86.6 million" in jumok("info", "vit-b/16", "--shapes").out
    assert "presets" in mistake("info", "vit-x/16", "--shapes")
    assert "do not fill" in mistake("info", "vit-b/15", "--shapes")


def test_shapes_of_a_run(home: Path) -> None:
    rows = json.loads(jumok("info", home / "run", "--shapes", "--json").out)
    assert next(row for row in rows if row["name"] == "encoder.tokens")["shape"] == [1, 17, 16]
    assert "classify" in jumok("info", home / "run").out


def test_runs_of_the_wrong_job(home: Path) -> None:
    photo = next((home / "data" / "val" / "star").iterdir())
    assert "this needs a classifier" in mistake("classify", "demo", photo)
    assert "this needs a translator" in mistake("translate", home / "run", stdin="x\n")
    assert "--images" in mistake("evaluate", home / "run", "--source", photo, "--target", photo)
    assert "--source" in mistake("evaluate", "demo", "--images", home / "data" / "val")
    assert "int8" in mistake("evaluate", home / "run", "--images", home / "data" / "val", "--precision", "int8")


def test_a_run_without_its_preprocessing_is_damaged(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "run", tmp_path / "run")
    (tmp_path / "run" / "preprocessing.json").unlink()
    photo = next((home / "data" / "val" / "star").iterdir())
    assert "damaged" in mistake("classify", tmp_path / "run", photo)


def test_bad_folders_stop_a_training_before_it_writes(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "data", tmp_path / "data")
    train = ["train", home / "small.yaml", f"data.folder={tmp_path / 'data'}", f"run={tmp_path / 'run'}"]
    (tmp_path / "data" / "val" / "moon").mkdir()
    shutil.copy(next((home / "data" / "val" / "star").iterdir()), tmp_path / "data" / "val" / "moon" / "a.png")
    assert "'moon' is no class of the training data" in mistake(*train)
    (tmp_path / "data" / "train" / "moon").mkdir()
    assert "moon" in mistake(*train)
    for folder in (tmp_path / "data" / "train").iterdir():
        if folder.name != "star":
            shutil.rmtree(folder)
    assert "one class only" in mistake(*train)
    assert "there is no folder" in mistake(*train, f"data.folder={tmp_path / 'nowhere'}")
    assert not (tmp_path / "run").exists()


def test_the_demo_of_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    quick = ["training.epochs=1", "training.steps=2", "model.dim=16", "model.heads=2", "model.depth=1"]
    pictures.write_pictures(tmp_path / "data")
    result = jumok("demo", "classify", f"data.folder={tmp_path / 'data'}", *quick, "model.image_size=16")
    assert result.code == 0, result.err
    assert result.out.splitlines()[-1].startswith("top-1: ")
    assert (tmp_path / "attention.html").is_file()
    assert "there is no demo dance" in mistake("demo", "dance")
