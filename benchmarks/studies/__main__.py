"""``python -m benchmarks.studies NAME --data FOLDER --out RUNS``: one study; stopped, the same line goes on."""

import argparse
import json
import sys
from pathlib import Path

from benchmarks import report
from benchmarks.studies.studies import STUDIES
from benchmarks.studies.study import Study
from jumok.errors import UserError
from jumok.files import atomic_write
from jumok.insight.figures import png

HERE = Path(__file__).parent


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies", description=__doc__)
    parser.add_argument("study", choices=list(STUDIES))
    parser.add_argument("--data", type=Path, required=True, help="class folders: train/ and val/")
    parser.add_argument("--large", type=Path, help="transfer: the images to learn from first")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--minutes", type=float, default=15, help="of each student's training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--results", type=Path, default=HERE, help="folder of results.json and the figures")
    asked = parser.parse_args()
    if (asked.study == "transfer") != (asked.large is not None):
        parser.error("transfer, and it alone, wants --large FOLDER")
    study = Study(asked.out, asked.data, asked.minutes, tuple(asked.seeds), lambda text: print(text, flush=True))
    try:
        asked.out.mkdir(parents=True, exist_ok=True)
        values, figure = STUDIES[asked.study](study, *([asked.large] if asked.large else []))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return 130
    threads = report.surroundings(2, "cpu")
    file = asked.results / "results.json"
    kept = json.loads(file.read_text()) if file.is_file() else {}
    kept[asked.study] = values | {"data": asked.data.name, "minutes": asked.minutes, "surroundings": threads}
    atomic_write(file, json.dumps(kept, indent=1) + "\n")
    if figure is not None:
        atomic_write(asked.results / f"{asked.study}.png", png(figure))
    for row in values["rows"]:
        shown = {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in row.items()}
        print("  ".join(f"{key} {value}" for key, value in shown.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
