"""``python -m benchmarks.encoders TABLE --data DATA --out RUNS``: sentence encoders side by side, and their curve.

``table``: Transformer, DAN and learned word weights by `recipes/sentences.yaml`, each scored on STS-B dev and KorSTS
dev beside tf-idf. ``curve``: Korean-English retrieval among 1,000 pairs held aside, over how many pairs were learned.
Stopped, the same line goes on; what is trained already is only scored.
"""

import argparse
import json
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import report
from jumok.config import override, parse, read_recipe
from jumok.data.graded import read_graded
from jumok.data.sentences import read_groups
from jumok.errors import UserError
from jumok.files import atomic_write
from jumok.insight.figures import PALETTE, canvas, png
from jumok.tasks.embed import EmbedRecipe
from jumok.tasks.embed_evaluate import evaluate, retrieve
from jumok.tasks.embed_predict import SentenceEmbedder
from jumok.tasks.embed_train import train_embedder
from jumok.training.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HERE = Path(__file__).parent
RECIPE = HERE.parent / "recipes" / "sentences.yaml"
DAN = ["model={architecture: dan, preset: dan, dim: 384, depth: 0, dropout: 0.1, word_dropout: 0.1, max_len: 64}"]
ENCODERS = {
    "Transformer, learned word weights": [],
    "Transformer, sum over sqrt(length)": ["model.pool=sqrt"],
    "DAN, learned word weights": [*DAN, "model.pool=weighted"],
    "DAN, sum over sqrt(length)": [*DAN, "model.pool=sqrt"],
    "DAN, two hidden layers": [*DAN, "model.pool=sqrt", "model.depth=2", "model.hidden=384"],
}
PARALLEL = {"sts_parallel": "train", "tatoeba": "all", "jhe": "dev", "news": "dev", "pydocs": "train"}
ASIDE, SIZES = 1000, (1000, 3000, 10_000, 30_000)
Values = dict[str, Any]


@dataclass(frozen=True)
class Runs:
    """Where they are, the data, and what is changed in every recipe."""

    out: Path
    data: Path
    changes: list[str]

    def trained(self, name: str, *changes: str) -> Path:
        """The run `name` of the recipe with `changes`, trained unless it is there already."""
        run = self.out / name
        if (run / "done").is_file():
            return run
        print(f"training {run}", flush=True)
        asked = [f"data.folder={self.data}", *changes, f"run={run}", *self.changes]
        values = override(read_recipe(RECIPE), asked)
        train_embedder(parse(EmbedRecipe, values, str(RECIPE)), resume=run.exists(), say=print)
        atomic_write(run / "done", "")
        return run


def table(runs: Runs) -> tuple[Values, None]:
    """Every encoder on both dev sets."""
    files = {"STS-B dev": "sts/stsb/sts-dev.csv", "KorSTS dev": "sts/korsts/sts-dev.tsv"}
    graded = {name: read_graded(runs.data / file) for name, file in files.items()}
    rows: list[Values] = []
    baselines: Values = {}
    for place, (name, changes) in enumerate(ENCODERS.items()):
        run = runs.trained(f"encoder-{place}", *changes)
        embedder = SentenceEmbedder.load(run)
        found = {file: evaluate(embedder, pairs) for file, pairs in graded.items()}
        rows.append({"encoder": name} | {file: one.scores.spearman for file, one in found.items()} | _facts(run))
        baselines = {
            "tf-idf of characters": {file: one.characters.spearman for file, one in found.items()},
            "tf-idf of words": {file: one.words.spearman for file, one in found.items()},
        }
    return {"rows": rows + [{"encoder": name} | scores for name, scores in baselines.items()]}, None


def curve(runs: Runs) -> tuple[Values, "Figure"]:
    """Top-1 retrieval both ways, over the pairs that were learned."""
    aside, rest = _split(runs)
    rows: list[Values] = []
    for size in [*(size for size in SIZES if size < len(rest)), len(rest)]:
        train = runs.out / f"pairs-{size}.tsv"
        _write(train, rest[:size])
        objective = f"objectives=[{{kind: contrastive, files: [{train.name}]}}]"
        held = ["data.val=[]", f"data.retrieval=[{aside.name}]", "training.metric=retrieval"]
        run = runs.trained(f"curve-{size}", f"data.folder={runs.out}", objective, *held)
        found = retrieve(SentenceEmbedder.load(run), read_groups([aside]))
        rows.append({"pairs": size, "from English": found.forth, "from Korean": found.back} | _facts(run))
    figure, axis = canvas()
    for number, way in enumerate(("from English", "from Korean")):
        axis.plot(
            [row["pairs"] for row in rows], [row[way] for row in rows], marker="o", color=PALETTE[number], label=way
        )
    axis.set_xscale("log")
    axis.set_xlabel("pairs learned")
    axis.set_ylabel("partner found (%)")
    axis.legend(frameon=False)
    return {"rows": rows, "aside": ASIDE}, figure


def _split(runs: Runs) -> tuple[Path, list[tuple[str, str]]]:
    """A file of pairs held aside, and all others: of every set of `ko_en`, no sentence twice, in an order by chance."""
    found: dict[str, str] = {}
    for folder, name in PARALLEL.items():
        place = runs.data / "ko_en" / folder
        for group in read_groups([place / f"{name}.en.gz", place / f"{name}.ko.gz"]).groups:
            found.setdefault(group.texts[0], group.texts[1])
    korean: dict[str, str] = {}
    for english, other in found.items():
        korean.setdefault(other, english)
    pairs = [(english, other) for other, english in korean.items()]
    random.Random(1).shuffle(pairs)
    runs.out.mkdir(parents=True, exist_ok=True)
    _write(runs.out / "aside.tsv", pairs[:ASIDE])
    return runs.out / "aside.tsv", pairs[ASIDE:]


def _write(path: Path, pairs: list[tuple[str, str]]) -> None:
    rows = ["anchor\tpositive", *(f"{english}\t{other}" for english, other in pairs)]
    atomic_write(path, "".join(f"{row}\n" for row in rows))


def _facts(run: Path) -> Values:
    config = Run.open(run).config
    parameters = sum(tensor.numel() for tensor in Run.open(run).weights().values())
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    minutes = max((line["minutes"] for line in lines if "minutes" in line), default=0.0)
    return {"parameters": parameters, "steps": config["kept"]["step"], "minutes": round(minutes, 1)}


TABLES: dict[str, Callable[[Runs], tuple[Values, "Figure | None"]]] = {"table": table, "curve": curve}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.encoders", description=__doc__)
    parser.add_argument("table", choices=list(TABLES))
    parser.add_argument("--data", type=Path, required=True, help="the folder of sts/, flickr8k/, ko_en/")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--results", type=Path, default=HERE, help="folder of encoders.json and the figure")
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE", help="keys of the recipe to change in every run")
    asked = parser.parse_intermixed_args()  # KEY=VALUE may stand behind the options
    try:
        values, figure = TABLES[asked.table](Runs(asked.out, asked.data.resolve(), asked.changes))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return 130
    file = asked.results / "encoders.json"
    kept = json.loads(file.read_text()) if file.is_file() else {}
    kept[asked.table] = values | {"changes": asked.changes, "surroundings": report.surroundings(2, "cpu")}
    atomic_write(file, json.dumps(kept, indent=1) + "\n")
    if figure is not None:
        atomic_write(asked.results / f"encoders-{asked.table}.png", png(figure))
    for row in values["rows"]:
        print(
            "  ".join(
                f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items()
            )
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
