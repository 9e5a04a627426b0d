"""A small job for the tests of tasks and commands: letters to numbers, learnt in seconds or not at all."""

import random
from pathlib import Path
from typing import Any

from jumok.config import parse
from jumok.tasks.translate import TranslateRecipe
from jumok.tasks.translate_train import train_translator

WORDS = {"ga": "1", "na": "2", "da": "3", "ra": "4", "ma": "5", "ba": "6"}


def pairs(count: int, seed: int, longest: int = 6) -> list[tuple[str, str]]:
    """Sentences of `WORDS` and their numbers, all different."""
    rng = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        words = rng.choices(list(WORDS), k=rng.randint(1, longest))
        found[" ".join(words)] = " ".join(WORDS[word] for word in words)
    return list(found.items())


def write_lines(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def write_data(folder: Path, seed: int = 1, train: int = 300, val: int = 20) -> Path:
    """``train.xx``, ``train.yy``, ``val.xx``, ``val.yy`` in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = pairs(train + val, seed)
    for name, part in (("train", rows[val:]), ("val", rows[:val])):
        write_lines(folder / f"{name}.xx", [source for source, _ in part])
        write_lines(folder / f"{name}.yy", [target for _, target in part])
    return folder


def recipe_values(data: Path, run: Path, **training: Any) -> dict[str, Any]:
    """The recipe of a very small model that trains a few steps."""
    return {
        "task": "translate",
        "run": str(run),
        "data": {"folder": str(data), "source": "xx", "target": "yy", "max_length": 60},
        "tokenizer": {"kind": "bpe", "size": 300},
        "model": {"preset": "tiny", "dim": 16, "heads": 2, "depth": 1, "hidden": 32, "max_len": 64},
        "training": {
            "precision": "fp32", "batch_tokens": 256, "learning_rate": 1e-2, "warmup": 2, "steps": 4,
            "validate_every": 4, "save_every": 2, "log_every": 1, "metric": "val_loss", "tensorboard": False,
            "threads": 1,
        } | training,
        "decoding": {"beam": 2},
    }  # fmt: skip


def train_run(data: Path, run: Path, **training: Any) -> Path:
    """A run in `run`, trained on `data`."""
    train_values(recipe_values(data, run, **training))
    return run


def train_values(values: dict[str, Any]) -> None:
    """Train the recipe of these values, silently."""
    train_translator(parse(TranslateRecipe, values, "the test's recipe"), say=lambda _: None)
