"""A small job for the tests of sentence encoders: generated paraphrases, and tiny models; or half of a loss."""

import os
import sys
from pathlib import Path
from typing import Any

import torch

from jumok.config import parse
from jumok.data.paraphrases import write_paraphrases
from jumok.tasks.embed import EmbedRecipe, EmbedTask
from jumok.tasks.embed_train import train_embedder

MODELS: dict[str, dict[str, Any]] = {
    "transformer": {"preset": "small", "dim": 16, "heads": 2, "depth": 1, "hidden": 24, "max_len": 40},
    "dan": {"architecture": "dan", "dim": 16, "hidden": 24, "word_dropout": 0.2, "max_len": 40},
    "bert": {"preset": "bert", "dim": 16, "heads": 2, "depth": 1, "hidden": 24, "max_len": 40, "pool": "class"},
    "weighted": {"preset": "small", "dim": 16, "heads": 2, "depth": 1, "hidden": 24, "max_len": 40, "pool": "weighted"},
}
OBJECTIVES: list[dict[str, Any]] = [
    {"kind": "contrastive", "files": ["train.tsv"], "share": 2, "learn_temperature": True},
    {"kind": "translation", "files": ["left.txt", "right.txt"], "margin": 0.2},
    {"kind": "dropout", "files": ["left.txt"]},
    {"kind": "graded", "files": ["graded.tsv"], "loss": "angle"},
    {"kind": "entailment", "files": ["labelled.tsv"], "weight": 0.5},
]


def write_data(folder: Path, train: int = 40, val: int = 12, seed: int = 1) -> Path:
    """What `write_paraphrases` writes, aligned files, and more graded and labelled pairs of other scenes."""
    folder.mkdir(parents=True, exist_ok=True)
    write_paraphrases(folder, train, val, seed)
    rows = [line.split("\t") for line in (folder / "train.tsv").read_text().splitlines()[1:]]
    hard = [row for row in rows if row[2]]
    lines = {
        "left.txt": [row[0] for row in rows],
        "right.txt": [row[1] for row in rows],
        "graded.tsv": [f"{a}\t{b}\t{5 * (i % 2)}" for i, (a, b, _) in enumerate(rows[:20])],
        "labelled.tsv": ["sentence1\tsentence2\tlabel"]
        + [f"{a}\t{(b, c)[i % 2]}\t{('same', 'other')[i % 2]}" for i, (a, b, c) in enumerate(hard[:20])],
    }
    for name, content in lines.items():
        (folder / name).write_text("".join(line + "\n" for line in content))
    return folder


def recipe_values(data: Path, run: Path, model: str = "transformer", **training: Any) -> dict[str, Any]:
    """The recipe of a very small model that trains a few steps on every objective."""
    return {
        "task": "embed",
        "run": str(run),
        "data": {"folder": str(data), "val": ["val.tsv"], "retrieval": ["pairs.tsv"]},
        "objectives": OBJECTIVES,
        "tokenizer": {"size": 310},
        "model": MODELS[model],
        "training": {
            "device": "cpu", "precision": "fp32", "batch_pairs": 24, "warmup": 2, "steps": 4, "validate_every": 2,
            "save_every": 2, "log_every": 1, "tensorboard": False,
        } | training,
    }  # fmt: skip


def make_recipe(values: dict[str, Any]) -> EmbedRecipe:
    return parse(EmbedRecipe, values, "the test's recipe")


def make_task(values: dict[str, Any]) -> EmbedTask:
    return EmbedTask(make_recipe(values), say=lambda _: None)


def train_run(values: dict[str, Any]) -> Path:
    train_embedder(make_recipe(values), say=lambda _: None)
    return Path(values["run"])


def loss_of(data: Path, indices: list[int]) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss of these examples in this process, and the gradient of every weight."""
    torch.manual_seed(5)
    task = make_task(recipe_values(data, data / "none"))
    model = task.build()
    model.eval()  # dropout draws otherwise in each process
    loss = task.loss(model, task.load(indices, 0))
    loss.total.backward()
    return float(loss.total.detach()), {
        name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in model.named_parameters()
    }


def main(folder: str, rank: int, port: str, *indices: str) -> None:
    """One of two processes: the loss of its `indices`, with the other's sentences as further negatives."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": str(rank), "WORLD_SIZE": "2"}
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo")
    total, gradients = loss_of(Path(folder), [int(index) for index in indices])
    torch.save({"total": total, "gradients": gradients}, Path(folder) / f"rank-{rank}.pt")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
