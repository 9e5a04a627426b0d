"""A sentence encoder learns paraphrases: every sentence of a toy corpus finds its own, in seconds."""

import time
from pathlib import Path
from typing import Any

import pytest
from tests.tasks.sentences import make_recipe

from jumok.data.sentences import read_groups
from jumok.tasks.embed_evaluate import retrieve
from jumok.tasks.embed_predict import SentenceEmbedder
from jumok.tasks.embed_train import train_embedder

WORDS = {
    "I would like a cup of {}": "bring me some {} please",
    "the price of {} went up": "{} costs more than before",
    "where can I buy {}": "which shop sells {}",
    "{} 한 잔 주세요": "{} 마시고 싶어요",
}
THINGS = ("tea", "milk", "coffee", "juice", "water", "soup", "차", "우유", "커피", "물")


@pytest.mark.parametrize("model", [{"depth": 1, "heads": 4, "hidden": 64}, {"architecture": "dan", "hidden": 64}])
def test_paraphrases_are_found(tmp_path: Path, model: dict[str, Any]) -> None:
    pairs = [(one.format(thing), other.format(thing)) for one, other in WORDS.items() for thing in THINGS]
    (tmp_path / "train.tsv").write_text("".join(f"{one}\t{other}\n" for one, other in pairs), encoding="utf-8")
    values = {
        "task": "embed",
        "run": str(tmp_path / "run"),
        "data": {"folder": str(tmp_path), "val": []},
        "objectives": [{"kind": "contrastive", "files": ["train.tsv"]}],
        "tokenizer": {"size": 400},
        "model": {"dim": 64, "dropout": 0.0, "pool": "mean", "max_len": 40} | model,
        "training": {
            "device": "cpu", "precision": "fp32", "batch_pairs": 40, "learning_rate": 3e-3, "warmup": 10, "epochs": 60,
            "metric": "retrieval", "validate_every": 60, "save_every": 0, "tensorboard": False,
        },
    }  # fmt: skip
    # what is learnt is searched too: a copy, since what is validated on is never learnt
    (tmp_path / "val.tsv").write_text("never seen\tnot seen\nsomething else\tanother thing\n")
    values["data"] = {"folder": str(tmp_path), "retrieval": ["val.tsv"]}
    started = time.process_time()
    train_embedder(make_recipe(values), say=lambda _: None)
    found = retrieve(SentenceEmbedder.load(tmp_path / "run", device="cpu"), read_groups([tmp_path / "train.tsv"]))
    assert (found.forth, found.back) == (100, 100)
    assert time.process_time() - started < 30
