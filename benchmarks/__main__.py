"""``python -m benchmarks``: measure, and write RESULTS.md and results.json."""

import argparse
import os
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.harness import Failed, Side, running
from benchmarks.plan import FULL, GROUPS, QUICK, ROWS
from benchmarks.rows import MEASURES, Bench
from benchmarks.rows_image_text import MEASURES as IMAGE_TEXT
from benchmarks.rows_sentences import MEASURES as SENTENCES

HERE = Path(__file__).parent


def main() -> int:
    arguments = _arguments()
    groups = arguments.only.split(",") if arguments.only else list(GROUPS)
    unknown = sorted(set(groups) - set(GROUPS))
    if unknown:
        print(f"error: --only {','.join(unknown)}: choose among {','.join(GROUPS)}", file=sys.stderr)
        return 2
    if arguments.quick and arguments.out is None:
        print("quick: toy sizes, nothing is written (--out FOLDER writes)")
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"warning: the machine is busy (load {load:.1f}); figures of this run cannot be trusted")
    plan = QUICK if arguments.quick else FULL
    missing = False
    with tempfile.TemporaryDirectory(prefix="jumok-bench-") as folder:
        bench = Bench(plan, Path(folder), arguments.threads, arguments.device, arguments.joeynmt, _say)
        if not arguments.joeynmt and not arguments.only:
            groups.remove("joey")
            print("joey: left out; benchmarks/joeynmt/install.sh FOLDER, then --joeynmt FOLDER/bin/python")
        surroundings = report.surroundings(arguments.threads, arguments.device)
        about = surroundings | {
            "quick": arguments.quick,
            "data": "Multi30k" if arguments.data else "random tokens of the lengths of Multi30k",
        }
        prepared = {"work": folder, "threads": arguments.threads, "plan": asdict(plan), "data": arguments.data}
        with running(Side("work", prepared)):
            pass
        for group in groups:
            started = time.monotonic()
            print(f"{group} ...", flush=True)
            try:
                for name, values in (MEASURES | IMAGE_TEXT | SENTENCES)[group](bench):
                    _show(name, values)
                    if not arguments.quick or arguments.out:
                        out = Path(arguments.out or HERE)
                        report.save(
                            out, {report.key(name, arguments.device): about | values | _command(group, arguments)}
                        )
            except Failed as error:
                missing = True
                print(f"  not measured: {error}", file=sys.stderr)
            print(f"{group}: {time.monotonic() - started:.0f} s", flush=True)
    return 1 if missing else 0


def _say(text: str) -> None:
    print(text, flush=True)


def _command(group: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """How to measure a row again; folders of this machine are no part of it."""
    parts = ["python -m benchmarks", f"--only {group}"]
    parts += ["--data MULTI30K"] if arguments.data else []
    parts += ["--joeynmt PYTHON"] if group == "joey" else []
    parts += [f"--threads {arguments.threads}"] if arguments.threads != 2 else []
    parts += [f"--device {arguments.device}"] if arguments.device != "cpu" else []
    parts += ["--quick"] if arguments.quick else []
    return {"command": " ".join(parts)}


def _show(name: str, values: dict[str, Any]) -> None:
    row = ROWS[name]
    figures = f"{values['ours']:,.{row.digits}f} {row.unit}, peer {values['peer']:,.{row.digits}f}"
    target = f" (floor {row.floor:g} {row.target}, aim {row.aim:g} {row.target})" if row.floor is not None else ""
    print(f"  {row.what}: {figures}, ratio {values['ratio']:.2f}{target}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", help=f"comma-separated groups of {', '.join(GROUPS)}")
    parser.add_argument("--data", help="folder with Multi30k (train.de.gz ...); without: random tokens of like lengths")
    parser.add_argument("--threads", type=int, default=2, help="threads of each side")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--joeynmt", help="the Python of an environment with JoeyNMT (joeynmt/install.sh)")
    parser.add_argument("--quick", action="store_true", help="toy sizes, to see that everything runs")
    parser.add_argument("--out", help="folder for RESULTS.md and results.json; default: benchmarks/")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
