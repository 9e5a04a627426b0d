"""Jumok's side of the training rows: the real loop of `jumok.training`, held between two turns."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks import work
from benchmarks.worker import Pace, settings
from jumok.data.batching import TextBatch
from jumok.data.text import TextData
from jumok.data.tokenizer import TokenizerConfig
from jumok.models.seq2seq import Seq2Seq
from jumok.models.transformer import Transformer
from jumok.tasks.translate import TranslateRecipe, TranslateTask
from jumok.training.loop import train
from jumok.training.options import TextTraining
from jumok.training.run import Run


class Paced(TranslateTask):
    """The translation task on batches that are already made."""

    def __init__(self, asked: dict[str, Any], options: TextTraining) -> None:
        # no files are read, so that what `TranslateTask` makes of them is not made
        self.recipe = TranslateRecipe(
            run="",
            data=TextData(folder="", source="de", target="en"),
            tokenizer=TokenizerConfig(kind="bpe"),
            training=options,
        )
        self.asked = asked
        self.ready_made = work.read_batches(asked["work"])
        self.config = self._fresh().config
        # compiled code is made anew for new shapes
        warm_up = len(self.ready_made) if asked["compiled"] else 1
        self.pace = Pace(len(self.ready_made), warm_up, "torch", "jumok", "lightning-fabric")
        self.trying = True

    def _fresh(self) -> Transformer | Seq2Seq:
        if "recurrent" in self.asked:
            return work.recurrent_model(self.asked["work"], self.asked["recurrent"])
        return work.read_model(self.asked["work"])

    def build(self) -> nn.Module:
        model = self._fresh()
        if self.asked["compiled"] and isinstance(model, Transformer):
            for block in (*model.encoder.blocks, *model.decoder.blocks):
                block.compile()
        return model

    def batches(self, epoch: int) -> list[list[int]]:
        return [[i] for i in range(len(self.ready_made))]

    def largest(self) -> list[int]:
        return [max(range(len(self.ready_made)), key=lambda i: self.ready_made[i].target.numel())]

    def load(self, indices: list[int], epoch: int) -> TextBatch:
        batch = self.ready_made[indices[0]]
        if self.trying:  # the largest batch, tried before the first step
            self.trying = False
            return batch
        self.pace.step()
        self.pace.amount += batch.tokens
        return batch

    def snapshot(self, folder: Path) -> None:
        """There is no tokenizer to keep."""

    def describe(self) -> dict[str, Any]:
        return {"task": "translate", "model": self.config.model_dump(mode="json")}


def main() -> None:
    asked = settings()
    torch.set_num_threads(asked["threads"])
    never = 10**6
    options = TextTraining(
        precision=asked["precision"],
        device=asked["device"],
        threads=asked["threads"],
        steps=never,
        validate_every=never,
        save_every=0,
        tensorboard=False,
    )
    run = Run.create(
        Path(asked["work"]) / f"run-{asked['precision']}-{asked['compiled']}-{'recurrent' in asked}", resume=True
    )
    train(Paced(asked, options), options, run, seed=1)


if __name__ == "__main__":
    main()
