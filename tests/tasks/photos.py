"""A small job for the tests of captioners: generated scenes of 16 pixels, and models of a few thousand weights."""

from pathlib import Path
from typing import Any

from jumok.config import parse
from jumok.data.scene_pictures import write_scenes
from jumok.tasks.caption import CaptionRecipe, CaptionTask
from jumok.tasks.caption_train import train_captioner

SIZE = 16
SMALL = {"image_size": SIZE, "dim": 16, "heads": 2, "decoder_depth": 1, "hidden": 32, "max_len": 48}
RESNET = {"stem": "small", "widths": [8, 16], "blocks": [1, 1], "strides": [[2, 2], [2, 2]]}
MODELS: dict[str, dict[str, Any]] = {
    "cnn-transformer": SMALL | RESNET | {"encoder": "resnet-transformer", "depth": 1},
    "show-attend-tell": RESNET
    | {"encoder": "resnet", "decoder": "lstm", "image_size": SIZE, "dim": 16, "decoder_depth": 1, "max_len": 48},
    "vit": SMALL | {"encoder": "vit", "patch": 4, "depth": 1},
}


def write_photos(folder: Path, train: int = 48, val: int = 12, seed: int = 1) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_scenes(folder, train, val, SIZE, seed)
    return folder


def recipe_values(data: Path, run: Path, model: str = "cnn-transformer", **training: Any) -> dict[str, Any]:
    """The recipe of a very small model that trains a few steps."""
    return {
        "task": "caption",
        "run": str(run),
        "data": {"folder": str(data)},
        "tokenizer": {"size": 340},
        "model": MODELS[model],
        "augmentation": {"crop": "shift"},
        "training": {
            "device": "cpu", "precision": "fp32", "batch_images": 16, "warmup": 2, "steps": 4, "validate_every": 2,
            "save_every": 2, "log_every": 1, "tensorboard": False,
        } | training,
        "decoding": {"beam": 2},
    }  # fmt: skip


def make_recipe(values: dict[str, Any]) -> CaptionRecipe:
    return parse(CaptionRecipe, values, "the test's recipe")


def make_task(data: Path, run: Path, **changes: Any) -> CaptionTask:
    return CaptionTask(make_recipe(recipe_values(data, run) | changes), say=lambda _: None)


def train_run(data: Path, run: Path, **changes: Any) -> Path:
    train_captioner(make_recipe(recipe_values(data, run) | changes), say=lambda _: None)
    return run
