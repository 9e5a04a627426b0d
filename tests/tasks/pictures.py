"""A small job for the tests of classifiers: shapes in pictures of 16 pixels, and a ViT of a few thousand weights."""

from pathlib import Path
from typing import Any

from jumok.config import parse
from jumok.data.shapes import write_shapes
from jumok.tasks.classify import ClassifyRecipe, ClassifyTask
from jumok.tasks.classify_train import train_classifier

SIZE = 16


def write_pictures(folder: Path, train: int = 96, val: int = 16, seed: int = 1) -> Path:
    write_shapes(folder, train, val, SIZE, seed)
    return folder


def recipe_values(data: Path, run: Path, **training: Any) -> dict[str, Any]:
    """The recipe of a very small model that trains a few steps."""
    return {
        "task": "classify",
        "run": str(run),
        "data": {"folder": str(data)},
        "model": {
            "preset": "small", "image_size": SIZE, "patch": 4, "dim": 16, "heads": 2, "depth": 2, "hidden": 32,
        },
        "augmentation": {"crop": "shift"},
        "training": {
            "device": "cpu", "precision": "fp32", "batch_images": 16, "warmup": 2, "steps": 4, "validate_every": 2,
            "save_every": 2, "log_every": 1, "tensorboard": False,
        } | training,
    }  # fmt: skip


def make_recipe(values: dict[str, Any]) -> ClassifyRecipe:
    return parse(ClassifyRecipe, values, "the test's recipe")


def make_task(data: Path, run: Path, **changes: Any) -> ClassifyTask:
    return ClassifyTask(make_recipe(recipe_values(data, run) | changes), say=lambda _: None)


def train_run(data: Path, run: Path, **changes: Any) -> Path:
    train_classifier(make_recipe(recipe_values(data, run) | changes), say=lambda _: None)
    return run
