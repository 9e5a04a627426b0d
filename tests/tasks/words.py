"""A small job for the tests of readers: words of a few box-like letters, drawn on the spot, and tiny models."""

import random
from pathlib import Path
from typing import Any

from tests.data.typefaces import box_font

from jumok.config import parse
from jumok.data.render import RenderOptions, WordRenderer
from jumok.data.render_files import write_words
from jumok.tasks.read import ReadRecipe, ReadTask
from jumok.tasks.read_train import train_reader

LETTERS = "가나다라마바"  # Latin ones would be looked at, whether they are letters
PLAIN = dict.fromkeys(RenderOptions.model_fields, 0.0)
MODELS: dict[str, dict[str, Any]] = {
    "reader": {"widths": [16, 16, 16, 16]},
    "reader-transformer": {"widths": [16, 16, 16, 16], "decoder_depth": 1, "max_len": 12},
    "reader-vit": {"patch": 8},
    "reader-vit-transformer": {"encoder": "hybrid", "patch": 8, "decoder_depth": 1, "max_len": 12},
}
SIZES = {"image_size": [32, 64], "dim": 16, "heads": 2, "depth": 1, "hidden": 32}


def write_font(folder: Path) -> Path:
    """A folder with one font of a box for each letter, each of another height."""
    folder.mkdir(parents=True, exist_ok=True)
    box_font(folder / "boxes.ttf", dict.fromkeys(LETTERS, "box"))
    return folder


def write_data(folder: Path, train: int = 48, val: int = 16, seed: int = 1) -> Path:
    """`train.tsv` and `val.tsv` with their images, and `fonts`."""
    fonts = write_font(folder / "fonts")
    renderer, rng = WordRenderer([fonts / "boxes.ttf"], RenderOptions(**PLAIN)), random.Random(seed)
    for number, (split, count) in enumerate((("train", train), ("val", val))):
        words = ["".join(rng.choices(LETTERS, k=rng.randint(1, 5))) for _ in range(count)]
        write_words(folder / split, words, renderer, seed + number)
        lines = (folder / split / "labels.tsv").read_text().splitlines(keepends=True)
        (folder / f"{split}.tsv").write_text("".join(f"{split}/{line}" for line in lines))
        (folder / split / "labels.tsv").unlink()
    return folder


def recipe_values(data: Path, run: Path, model: str = "reader", **training: Any) -> dict[str, Any]:
    """The recipe of a very small model that trains a few steps."""
    return {
        "task": "read",
        "run": str(run),
        "data": {"folder": str(data), "fonts": str(data / "fonts")},
        "model": {"preset": model} | MODELS[model] | SIZES,
        "rendering": PLAIN,
        "training": {
            "device": "cpu", "precision": "fp32", "batch_images": 8, "warmup": 2, "steps": 4, "validate_every": 2,
            "save_every": 2, "log_every": 1, "tensorboard": False,
        } | training,
    }  # fmt: skip


def make_recipe(values: dict[str, Any]) -> ReadRecipe:
    return parse(ReadRecipe, values, "the test's recipe")


def make_task(values: dict[str, Any]) -> ReadTask:
    return ReadTask(make_recipe(values), say=lambda _: None)


def train_run(values: dict[str, Any]) -> Path:
    train_reader(make_recipe(values), say=lambda _: None)
    return Path(values["run"])
