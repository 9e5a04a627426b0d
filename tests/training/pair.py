"""A program that trains the toy: ``pair.py FOLDER DEVICES ACCUMULATE STEPS SAMPLES DROPOUT [--resume]``.

With two devices Fabric runs it a second time, as it does `jumok train`.
"""

import sys
from pathlib import Path

from tests.training.toy import ToyTask

from jumok.training.loop import train
from jumok.training.options import TextTraining
from jumok.training.run import Run


def main(folder: Path, devices: int, accumulate: int, steps: int, samples: int, dropout: float, resume: bool) -> None:
    options = TextTraining(
        steps=steps,
        device="cpu",
        devices=devices,
        accumulate=accumulate,
        learning_rate=0.01,
        schedule="constant",
        warmup=0,
        epsilon=0.1,  # large, or AdamW would not notice a gradient of the wrong size
        save_every=3,
        keep=9,
        metric="val_loss",
        log_every=1,
        tensorboard=False,
    )
    task = ToyTask(samples=samples, dropout=dropout)
    train(task, options, Run.create(folder, resume=resume), seed=5, resume=resume)


if __name__ == "__main__":
    devices, accumulate, steps, samples = map(int, sys.argv[2:6])
    main(Path(sys.argv[1]), devices, accumulate, steps, samples, float(sys.argv[6]), "--resume" in sys.argv)
