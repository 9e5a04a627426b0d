"""What every study needs: trainings that go on where they were stopped, equal in time, and scores kept as they come."""

import json
import math
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from jumok.config import parse
from jumok.data.images import ImageSet, read_images
from jumok.files import atomic_write
from jumok.tasks.classify import ClassifyRecipe
from jumok.tasks.classify_evaluate import Evaluation, evaluate, labelled
from jumok.tasks.classify_predict import Classifier
from jumok.tasks.classify_train import train_classifier
from jumok.training.run import Run

PACE_STEPS = (5, 65)  # of the two trials that tell how many epochs fit into the minutes
Values = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """A folder of runs, the data, and how long a student may learn."""

    out: Path
    data: Path
    minutes: float
    seeds: tuple[int, ...]
    say: Callable[[str], None]

    def recipe(self, model: Mapping[str, Any], **changes: Any) -> Values:
        """The options that all models of a study share; `changes` go over them, group by group."""
        values: Values = {
            "task": "classify",
            "data": {"folder": str(self.data)},
            "model": dict(model),
            "augmentation": {"crop": "shift"},
            "training": {
                "optimizer": "adamw" if model["architecture"] == "resnet" else "muon", "learning_rate": rate(model),
                "batch_images": 128, "warmup": 300, "weight_decay": 0.05, "ema": 0.995, "log_every": 20,
                "tensorboard": False,
            },
        }  # fmt: skip
        for key, value in changes.items():
            name = "from" if key == "from_" else key
            values[name] = values.get(name, {}) | value if isinstance(value, dict) else value
        return values

    def trained(self, name: str, values: Values, minutes: float | None = None) -> Path:
        """The run `name` of this recipe, trained for `minutes` of this machine unless it is there already.

        A cosine needs a planned end, so a short trial first tells how many epochs the minutes hold.
        """
        run = self.out / name
        if (run / "done").is_file():
            return run
        plan = self.out / f"{name}.plan.json"
        if not plan.exists():
            rate, images = self._pace(name, values)
            minutes = self.minutes if minutes is None else minutes
            epochs = max(1, round(minutes * 60 * rate / images))
            steps = epochs * math.ceil(images / values["training"]["batch_images"])
            planned = {
                "minutes": epochs * images / rate / 60,
                "images_per_second": rate,
                "epochs": epochs,
                "steps": steps,
            }
            atomic_write(plan, json.dumps(planned))
        planned = json.loads(plan.read_text())
        self.say(f"{name}: {planned['epochs']} epochs, about {planned['minutes']:.0f} minutes")
        # of few steps the warm-up may not be most
        warmup = min(values["training"]["warmup"], planned["steps"] // 4)
        training = values["training"] | {"epochs": planned["epochs"], "warmup": warmup}
        recipe = parse(ClassifyRecipe, values | {"run": str(run), "training": training}, name)
        train_classifier(recipe, resume=run.exists(), say=lambda _: None)
        atomic_write(run / "done", "")
        return run

    def _pace(self, name: str, values: Values) -> tuple[float, int]:
        """Images a second of processor time of this training, and how many images an epoch has.

        By the processor's clock, so that other work on the machine changes nothing in the plan: what a trial costs,
        less what a shorter one does, which reads the same images.
        """
        trial, spent = self.out / f"{name}.trial", []
        for steps in PACE_STEPS:
            shutil.rmtree(trial, ignore_errors=True)
            training = values["training"] | {"steps": steps, "validate_every": steps, "save_every": 0}
            recipe = parse(ClassifyRecipe, values | {"run": str(trial), "training": training}, name)
            started = time.process_time()
            task = train_classifier(recipe, say=lambda _: None)
            spent.append((time.process_time() - started) / torch.get_num_threads())
        shutil.rmtree(trial)
        steps = PACE_STEPS[1] - PACE_STEPS[0]
        return steps * values["training"]["batch_images"] / (spent[1] - spent[0]), len(task.train)

    def score(self, run: Path, change: Callable[[ImageSet], ImageSet] | None = None) -> Evaluation:
        """A run on the validation images."""
        classifier = Classifier.load(run)
        images = labelled(self.data / "val", classifier)
        return evaluate(classifier, images if change is None else change(images))

    def facts(self, run: Path) -> Values:
        """What stands beside a score: parameters, epochs, minutes of the processor."""
        planned = json.loads((self.out / f"{run.name}.plan.json").read_text())
        count = sum(tensor.numel() for tensor in Run.open(run).weights().values())
        return {"parameters": count, "epochs": planned["epochs"], "minutes": round(planned["minutes"], 1)}


def rate(model: Mapping[str, Any]) -> float:
    """The learning rate from nothing: each kind's own, by what docs/log.md has of them."""
    return 1e-3 if model["architecture"] == "resnet" else 3e-3


def part(data: Path, folder: Path, share: float) -> Path:
    """A copy of `data` whose training part is the first `share` of each class, as a list; nothing is copied."""
    train = read_images(data, "train")
    folder.mkdir(parents=True, exist_ok=True)
    rows = ["path,label"]
    for place, name in enumerate(train.classes):
        own = [path for path, label in zip(train.paths, train.labels, strict=True) if label == place]
        rows += [f"{path.resolve()},{name}" for path in own[: max(1, round(share * len(own)))]]
    atomic_write(folder / "train.csv", "\n".join(rows) + "\n")
    if not (folder / "val").exists():
        (folder / "val").symlink_to((data / "val").resolve())
    return folder
