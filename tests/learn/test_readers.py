"""A reader learns drawn words: 200 of them by heart, in seconds."""

import time
from pathlib import Path

import pytest
from tests.data.typefaces import system_font
from tests.tasks.words import make_recipe

from jumok.data.render import WordRenderer
from jumok.data.render_files import write_words
from jumok.data.signs import EASY, WORDS
from jumok.tasks.read_train import train_reader
from jumok.training.run import Run


@pytest.mark.system("fonts-dejavu")
def test_a_reader_learns_words(tmp_path: Path) -> None:
    fonts = [system_font("DejaVuSans.ttf"), system_font("DejaVuSans-Bold.ttf")]
    write_words(tmp_path / "train", WORDS[:200], WordRenderer(fonts, EASY), seed=1)
    values = {
        "task": "read",
        "run": str(tmp_path / "run"),
        "data": {"folder": str(tmp_path), "val": "train"},
        "model": {"widths": [16, 32, 32, 64], "dim": 64, "heads": 4, "depth": 1, "hidden": 128, "dropout": 0.0},
        "distortion": 0.0,
        "training": {
            "device": "cpu", "precision": "fp32", "optimizer": "muon", "batch_images": 20, "learning_rate": 6e-3,
            "warmup": 20, "weight_decay": 0.0, "epochs": 48, "validate_every": 480, "save_every": 0,
            "tensorboard": False,
        },
    }  # fmt: skip
    started = time.process_time()
    train_reader(make_recipe(values), say=lambda _: None)
    kept = Run.open(tmp_path / "run").config["kept"]
    assert kept["word_accuracy"] >= 90
    assert time.process_time() - started < 60
