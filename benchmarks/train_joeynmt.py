"""JoeyNMT's side of the training rows: its own loader and loop, in its own environment (joeynmt/README.md).

Its loop calls `_log_scores` after each step with the time and the tokens since the last call; that is what is added up
here, so the figure is its own "Tokens per Sec": target tokens without padding, end of sentence included.
"""

from pathlib import Path
from typing import Any

import torch
import yaml
from joeynmt import training

from benchmarks import worker


class Between:
    """Takes the place of `_log_scores`: adds up, reports, and holds the loop between two turns."""

    def __init__(self, steps: int) -> None:
        self.steps, self.left = steps, 1
        self.tokens, self.seconds = 0.0, 0.0
        self.warm = False

    def log(self, manager: Any, elapsed: float, start_tokens: int) -> None:
        self.tokens, self.seconds = self.tokens + manager.stats.total_tokens - start_tokens, self.seconds + elapsed
        self.left -= 1
        if self.left:
            return
        if self.warm:
            worker.report(self.tokens, self.seconds)
        else:
            worker.ready("torch", "joeynmt", "sentencepiece")
            self.warm = True
        # the loop starts its clock when this returns
        worker.wait()
        self.left, self.tokens, self.seconds = self.steps, 0.0, 0.0


def main() -> None:
    asked = worker.settings()
    torch.set_num_threads(asked["threads"])
    between = Between(asked["steps"])

    def log_scores(
        self: Any, epoch_no: int, elapsed_time: float, start_tokens: int, start_correct: int, total_batch_loss: float
    ) -> None:
        between.log(self, elapsed_time, start_tokens)

    training.TrainManager._log_scores = log_scores
    text = (Path(__file__).parent / "joeynmt" / f"{asked['model']}.yaml").read_text()
    for name, value in asked["values"].items():
        text = text.replace(f"<{name}>", str(value))
    config = yaml.safe_load(text)
    Path(config["model_dir"]).mkdir(exist_ok=True)
    training.train(rank=0, world_size=None, cfg=config, skip_test=True)


if __name__ == "__main__":
    main()
