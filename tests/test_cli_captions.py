"""The commands for captions: exact shapes, keys and scales, and every mistake one clear message."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from tests.commands import jumok, mistake
from tests.data.pictures import noise, save
from tests.tasks import photos

from jumok.tasks.caption_predict import Captioner


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes, a recipe and a run that was trained by the command."""
    folder = tmp_path_factory.mktemp("captions")
    photos.write_photos(folder / "data")
    values = photos.recipe_values(folder / "data", folder / "run")
    (folder / "small.yaml").write_text(yaml.safe_dump(values))
    result = jumok("train", folder / "small.yaml")
    assert result.code == 0, result.err
    assert "train: 48 images with 240 captions, 5 each" in result.err
    return folder


def test_evaluate_writes_the_keys_and_scales(home: Path, tmp_path: Path) -> None:
    arguments = ["--captions", home / "data" / "val.jsonl", "--json", tmp_path / "out.json", "-o", tmp_path / "lines"]
    result = jumok("evaluate", home / "run", *arguments, "--max-length", 12)
    assert result.code == 0, result.err
    values = json.loads((tmp_path / "out.json").read_text())
    assert {
        "cider",
        "bleu1",
        "bleu4",
        "rouge_l",
        "distinct",
        "vocabulary",
        "baselines",
        "exact_scenes",
    } <= values.keys()
    assert all(0 <= values[name] <= 100 for name in ("bleu4", "rouge_l", "distinct"))
    for name in ("most frequent caption", "nearest training image", "CIDEr-D"):
        assert name in result.out
    assert len((tmp_path / "lines").read_text().splitlines()) == values["captions"] == 12
    assert "val: 12 images with 60 captions" in result.err


def test_evaluate_looks_for_images_and_compares_two_runs(home: Path, tmp_path: Path) -> None:
    shutil.copy(home / "data" / "val.jsonl", tmp_path / "val.jsonl")
    with (tmp_path / "val.jsonl").open("a") as file:
        file.write('{"image": "images/gone.png", "captions": ["a dog"]}\n')
    evaluate = ["evaluate", home / "run", "--captions", tmp_path / "val.jsonl", "--max-length", 8]
    assert "say where they are" in mistake(*evaluate)
    result = jumok(*evaluate, "--images", home / "data", "--against", home / "run", "--json", tmp_path / "out.json")
    assert result.code == 0, result.err
    values = json.loads((tmp_path / "out.json").read_text())
    assert values["absent"] == 1
    assert "absent: 1 listed images are not there" in result.err
    assert values["against"]["comparison"]["difference"] == 0
    assert values["against"]["comparison"]["p_value"] == 1.0
    assert "paired bootstrap" in result.out


def test_without_the_training_captions_there_are_no_baselines(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "run", tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["recipe"]["data"]["folder"] = str(tmp_path / "nowhere")
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    arguments = ["--captions", home / "data" / "val.jsonl", "--max-length", 8, "--json", tmp_path / "out.json"]
    result = jumok("evaluate", tmp_path / "run", *arguments)
    assert result.code == 0, result.err
    assert "the training captions are no longer where they were" in result.err
    assert "baselines" not in json.loads((tmp_path / "out.json").read_text())


def test_caption_writes_a_line_an_image(home: Path, tmp_path: Path) -> None:
    pictures = sorted((home / "data" / "images").glob("val-*.png"))[:3]
    for picture in pictures[1:]:
        shutil.copy(picture, tmp_path / picture.name)
    ask = ["caption", home / "run", pictures[0], tmp_path, "--max-length", 8]
    result = jumok(*ask)
    assert result.code == 0, result.err
    lines = [line.split("\t") for line in result.out.splitlines()]
    assert [line[0] for line in lines] == [str(pictures[0]), *(str(tmp_path / p.name) for p in pictures[1:])]
    assert all(len(line) == 2 for line in lines)
    found = [json.loads(line) for line in jumok(*ask, "--json", "--n-best", 2).out.splitlines()]
    assert [row["path"] for row in found] == [line[0] for line in lines]
    assert all(len(row["captions"]) == 2 for row in found)
    assert all(row["captions"][0]["score"] >= row["captions"][1]["score"] for row in found)
    assert [row["captions"][0]["caption"] for row in found] == [line[1] for line in lines]
    assert len(jumok(*ask, "--n-best", 2).out.splitlines()) == 6
    drawn = [jumok(*ask, "--sample", "--seed", seed, "--temperature", 1.5).out for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_what_cannot_be_read_is_skipped_named_and_counted(home: Path, tmp_path: Path) -> None:
    good = next((home / "data" / "images").glob("val-*.png"))
    (tmp_path / "text.jpg").write_text("no picture")
    save(tmp_path / "strip.png", noise(200, 1))
    result = jumok("caption", home / "run", good, tmp_path, "--max-length", 4, "--beam", 1)
    assert result.code == 0
    assert len(result.out.splitlines()) == 2
    assert f"skipped {tmp_path / 'text.jpg'}" in result.err
    assert "1 of 3 files could not be read" in result.err
    assert "none of the 1 files" in mistake("caption", home / "run", tmp_path / "text.jpg")
    assert "there is no" in mistake("caption", home / "run", tmp_path / "missing.jpg")


def test_mistakes_are_one_clear_message(home: Path, tmp_path: Path) -> None:
    picture = next((home / "data" / "images").glob("val-*.png"))
    val = home / "data" / "val.jsonl"
    assert "this needs a captioner" in mistake("caption", "demo", picture)
    assert "this needs a classifier" in mistake("classify", home / "run", picture)
    assert "--captions FILE.jsonl" in mistake("evaluate", home / "run", "--images", home / "data")
    assert "add --sample" in mistake("caption", home / "run", picture, "--top-p", 0.5)
    assert "--n-best 3 needs as many beams" in mistake("caption", home / "run", picture, "--n-best", 3, "--beam", 2)
    assert "int8" in mistake("evaluate", home / "run", "--captions", val, "--precision", "int8")
    assert "there is no" in mistake("evaluate", home / "run", "--captions", tmp_path / "none.jsonl")
    shutil.copytree(home / "run", tmp_path / "run")
    (tmp_path / "run" / "tokenizer.json").unlink()
    assert "no tokenizer" in mistake("caption", tmp_path / "run", picture)


def test_bad_lists_stop_a_training_before_it_writes(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "data", tmp_path / "data")
    train = ["train", home / "small.yaml", f"data.folder={tmp_path / 'data'}", f"run={tmp_path / 'run'}"]
    (tmp_path / "data" / "val.jsonl").write_text('{"image": "x.png", "captions": ["a dog"]}\n')
    assert "no image of" in mistake(*train)
    (tmp_path / "data" / "val.jsonl").write_text('{"image": "x.png", "captions": [" "]}\n')
    assert "has a caption (1 images, 1 empty captions)" in mistake(*train)
    (tmp_path / "data" / "val.jsonl").unlink()
    assert "no 'val' captions" in mistake(*train)
    assert "there is no folder" in mistake(*train, f"data.folder={tmp_path / 'nowhere'}")
    assert not (tmp_path / "run").exists()


def test_explain_lists_the_keys_of_the_encoder(home: Path) -> None:
    told = jumok("train", home / "small.yaml", "--explain").out
    assert "model.strides" in told
    assert "model.patch" not in told
    assert "model.patch" in jumok("train", home / "small.yaml", "model={encoder: vit}", "--explain").out


def test_info_and_package(home: Path) -> None:
    import jumok as package

    assert "caption" in jumok("info", home / "run").out
    assert isinstance(package.load(str(home / "run")), Captioner)


def test_the_sample_is_what_its_readme_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jumok.data import scene_pictures

    write = scene_pictures.write_scenes
    monkeypatch.setattr(scene_pictures, "write_scenes", lambda folder, *_: write(folder, 6, 3, 16))
    result = jumok("data", "sample", tmp_path, "--job", "caption")
    assert result.code == 0, result.err
    text = (tmp_path / "caption" / "README.txt").read_text()
    assert f"data.folder={tmp_path / 'caption'} " in text
    assert "train: 6 images with 30 captions, 5 each" in jumok("data", "check", tmp_path / "caption").out


def test_attention_writes_page_and_figure(home: Path, tmp_path: Path) -> None:
    picture = next((home / "data" / "images").glob("val-*.png"))
    result = jumok("attention", home / "run", picture, "-o", tmp_path / "map.html", "--target", "a small red circle")
    assert result.code == 0, result.err
    assert result.out.strip() == "a small red circle"
    page = (tmp_path / "map.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert [path.name for path in (tmp_path / "map_figures").iterdir()] == ["words.png"]
    for name in ("show-attend-tell", "vit"):
        run = photos.train_run(home / "data", tmp_path / name, model=photos.MODELS[name])
        assert jumok("attention", run, picture, "-o", tmp_path / f"{name}.html", "--beam", 1).code == 0
    two = f"{home / 'run'},{home / 'run'}"
    assert "one run at a time" in mistake("attention", two, picture, "-o", tmp_path / "x.html")
    save(tmp_path / "whole.png", noise(20, 20)).write_bytes(b"")
    assert "cannot be used" in mistake("attention", home / "run", tmp_path / "whole.png", "-o", tmp_path / "x.html")
    assert not (tmp_path / "x.html").exists()


def test_the_demo_of_captions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = ["dim=16", "heads=2", "depth=1", "hidden=32", "decoder_depth=1", "widths=[8,16]", "blocks=[1,1]"]
    quick = ["training.epochs=1", "training.steps=2", *(f"model.{key}" for key in model), "model.image_size=16"]
    photos.write_photos(tmp_path / "data")
    result = jumok("demo", "caption", f"data.folder={tmp_path / 'data'}", *quick, "model.strides=[[2,2],[2,2]]")
    assert result.code == 0, result.err
    assert "exact scenes: " in result.out.splitlines()[-1]
    assert (tmp_path / "attention.html").is_file()
    assert "choose one of translate, classify, caption" in mistake("demo", "dance")
