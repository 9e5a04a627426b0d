"""``python -m benchmarks.captioners --data FLICKR8K --seen TINY_IMAGENET --out RUNS``: the three captioners in a table.

Each is trained by its committed recipe, its encoder from what a classifier saw, then by its own captions' CIDEr-D, and
scored beside the two baselines. Stopped, the same line goes on; what is trained already is only scored.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import report
from jumok.config import override, parse, read_recipe
from jumok.data.captions import read_captioned
from jumok.errors import UserError
from jumok.files import atomic_write
from jumok.tasks.caption import CaptionRecipe
from jumok.tasks.caption_baselines import training_list
from jumok.tasks.caption_evaluate import COLUMNS, Evaluation, evaluate
from jumok.tasks.caption_predict import Captioner
from jumok.tasks.caption_train import train_captioner
from jumok.tasks.classify import ClassifyRecipe
from jumok.tasks.classify_train import train_classifier

HERE = Path(__file__).parent
RECIPES = HERE.parent / "recipes"
# model of the lineage -> its recipe, and the classifier that its encoder starts from
CAPTIONERS = {
    "CNN + LSTM (Show, Attend and Tell)": ("caption-show-attend-tell", "resnet"),
    "CNN + Transformer": ("caption-cnn-transformer", "resnet"),
    "ViT + Transformer": ("caption-vit", "vit"),
}
STARTED = ["encoder_rate=0.2"]
CRITICAL = [
    "self_critical=true", "training.epochs=4", "training.minutes=6", "training.learning_rate=5.0e-5",
    "training.warmup=28", "training.validate_every=56",
]  # fmt: skip


@dataclass(frozen=True)
class Runs:
    """Where they are, and how they are cut short to see whether all of it works."""

    out: Path
    changes: list[str]

    def trained(self, name: str, recipe: str, *changes: str) -> Path:
        """The run `name` of a recipe with `changes`, trained unless it is there already."""
        run = self.out / name
        if (run / "done").is_file():
            return run
        print(f"training {run}", flush=True)
        asked = [*changes, f"run={run}", *self.changes]
        values = override(read_recipe(RECIPES / f"{recipe}.yaml"), asked)
        if values["task"] == "classify":
            train_classifier(parse(ClassifyRecipe, values, recipe), resume=run.exists(), say=print)
        else:
            train_captioner(parse(CaptionRecipe, values, recipe), resume=run.exists(), say=print)
        atomic_write(run / "done", "")
        return run


def scored(run: Path, captions: Path, beside: bool) -> Evaluation:
    """A run on the captions of a list, with the baselines if they are wanted."""
    recipe = json.loads((run / "config.json").read_text())["recipe"]
    return evaluate(Captioner.load(run), read_captioned(captions), train=training_list(recipe) if beside else None)


def table(rows: list[tuple[str, ...]]) -> str:
    """The rows under `COLUMNS` as Markdown."""
    lines = [("", *COLUMNS), ("---", *("---:" for _ in COLUMNS)), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.captioners", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="train.jsonl, val.jsonl and images/")
    parser.add_argument("--seen", type=Path, required=True, help="class folders train/ and val/, of 64 pixels")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--results", type=Path, default=HERE / "captioners.json")
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE", help="for every training: training.steps=4")
    asked = parser.parse_intermixed_args()  # KEY=VALUE may stand behind the options
    asked.out.mkdir(parents=True, exist_ok=True)
    runs, values = Runs(asked.out, asked.changes), dict[str, Any]()
    rows: list[tuple[str, ...]] = []
    beside: list[tuple[str, ...]] = []
    try:
        for name, (recipe, kind) in CAPTIONERS.items():
            seen = runs.trained(f"seen-{kind}", f"tiny-imagenet-{kind}", f"data.folder={asked.seen}")
            data = f"data.folder={asked.data}"
            plain = runs.trained(recipe, recipe, data, f"encoder_from={seen}", *STARTED)
            critical = runs.trained(f"{recipe}-critical", recipe, data, f"from={plain}", *STARTED, *CRITICAL)
            for title, run in ((name, plain), (f"{name}, self-critical", critical)):
                found = scored(run, asked.data / "val.jsonl", beside=not beside)
                rows.append(found.rows(title)[0])
                beside = beside or found.rows(title)[1:]
                values[title] = found.as_dict()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return 130
    surroundings = report.surroundings(2, "cpu")
    atomic_write(asked.results, json.dumps({"captioners": values, "surroundings": surroundings}, indent=1) + "\n")
    print(table([*rows, *beside]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
