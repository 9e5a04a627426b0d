"""Each captioner of the lineage learns to say what a picture shows, whatever synonym it takes, in seconds."""

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.tasks.photos import make_recipe

from jumok.data.captions import read_captions
from jumok.data.scene_pictures import draw_scene
from jumok.data.scenes import Scene, Thing, captions
from jumok.tasks.caption_evaluate import evaluate
from jumok.tasks.caption_predict import Captioner
from jumok.tasks.caption_train import train_captioner

SIZE = 24
COLOURS, SHAPES = ("red", "green", "blue", "yellow", "white"), ("circle", "cross", "triangle")
RESNET: dict[str, Any] = {"stem": "small", "widths": [16, 32], "blocks": [1, 1], "strides": [[2, 2], [2, 2]]}
SMALL: dict[str, Any] = {"dim": 32, "heads": 4, "decoder_depth": 1, "hidden": 64}
LEARNERS: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {  # model, training, captions right of 100
    "show-attend-tell": (
        {"encoder": "resnet", "decoder": "lstm", "dim": 48, "decoder_depth": 1} | RESNET,
        {"optimizer": "adamw", "learning_rate": 4e-3, "epochs": 6},
        90,
    ),
    "cnn-transformer": (
        {"encoder": "resnet-transformer", "depth": 1} | RESNET | SMALL,
        {"optimizer": "muon", "learning_rate": 1e-2, "epochs": 9},
        85,
    ),
    "vit-transformer": (
        {"encoder": "vit", "patch": 4, "depth": 2} | SMALL,
        {"optimizer": "muon", "learning_rate": 1e-2, "epochs": 11},
        75,
    ),
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One large thing in each picture, fifteen kinds of them, and two sentences that say which."""
    folder = tmp_path_factory.mktemp("things")
    (folder / "images").mkdir()
    for name, count in (("train", 1200), ("val", 200)):
        rng, rows = random.Random(name), []
        for number in range(count):
            scene = Scene(Thing("large", rng.choice(COLOURS), rng.choice(SHAPES)))
            image = f"images/{name}-{number}.png"
            Image.fromarray(draw_scene(scene, SIZE, rng)).save(folder / image)
            rows.append(json.dumps({"image": image, "captions": captions(scene, 2, rng)}))
        (folder / f"{name}.jsonl").write_text("\n".join(rows) + "\n")
    return folder


@pytest.mark.parametrize("name", list(LEARNERS))
def test_it_learns_to_say_what_is_there(pictures: Path, tmp_path: Path, name: str) -> None:
    model, training, least = LEARNERS[name]
    values = {
        "task": "caption",
        "run": str(tmp_path / "run"),
        "data": {"folder": str(pictures)},
        "tokenizer": {"size": 320},
        "model": model | {"image_size": SIZE, "dropout": 0.0, "max_len": 24},
        "augmentation": {"crop": "none"},
        "label_smoothing": 0.0,
        "training": {
            "device": "cpu", "precision": "fp32", "batch_images": 32, "warmup": 10, "ema": 0.9,
            "validate_every": 10000, "save_every": 0, "tensorboard": False,
        } | training,
        "decoding": {"beam": 1},
    }  # fmt: skip
    started = time.process_time()
    train_captioner(make_recipe(values), say=lambda _: None)
    result = evaluate(Captioner.load(tmp_path / "run", device="cpu"), read_captions(pictures, "val"))
    assert result.exact_scenes is not None
    assert result.exact_scenes >= least
    assert time.process_time() - started < 40, "some seconds of one core"
