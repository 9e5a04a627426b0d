"""A program that trains the toy, is killed with SIGKILL at random moments, and resumed: ``lives.py FOLDER SEED KILLS``.

Each life is a process of its own, forked from this one, which has imported torch but computed nothing. Half of the
kills come from outside after a random time, half at a random fsync or rename, which is where files are half written.
Prints one JSON line.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tests.training.toy import ToyTask

from jumok.training.loop import train
from jumok.training.options import TextTraining
from jumok.training.run import Run

OPTIONS = TextTraining(
    steps=60,
    learning_rate=0.02,
    warmup=5,
    metric="val_loss",
    accumulate=2,
    ema=0.9,
    average=3,
    patience=50,
    save_every=4,
    log_every=3,
    tensorboard=False,
)


def start_life(folder: Path, die_at_call: int | None) -> int:
    """Fork a process that trains in `folder`; with `die_at_call` it kills itself before that fsync or rename."""
    child = os.fork()
    if child:
        return child
    if die_at_call is not None:
        calls = 0

        def deadly(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                nonlocal calls
                calls += 1
                if calls == die_at_call:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*args, **kwargs)

            return call

        os.replace, os.fsync = deadly(os.replace), deadly(os.fsync)
    torch.set_num_threads(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    train(ToyTask(), OPTIONS, Run.create(folder, resume=True), seed=7, resume=True)
    os._exit(0)


def written(folder: Path) -> tuple[list[dict[str, Any]], dict[str, str], str]:
    """What must be equal: the log without its clocks, the header of the weights (digest and all), the last state."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    clocks = ("tokens_per_second", "minutes")
    exact = [{key: value for key, value in line.items() if key not in clocks} for line in lines]
    sums = json.loads((folder / "state" / "step-60" / "checksums.json").read_text())
    sums.pop("state.json")  # holds the seconds spent
    return exact, Run.open(folder).about_weights(), json.dumps(sums)


def main(folder: Path, seed: int, kills: int) -> None:
    began = time.monotonic()
    os.waitpid(start_life(folder / "reference", None), 0)
    whole = time.monotonic() - began
    reference = written(folder / "reference")

    draw = random.Random(seed)
    done, runs, equal, at_call = 0, 0, True, 0
    while True:
        by_call = draw.random() < 0.5
        child = start_life(folder / f"run-{runs}", draw.randint(1, 60) if by_call and done < kills else None)
        if not by_call and done < kills:
            time.sleep(draw.uniform(0, whole / 4))
            os.kill(child, signal.SIGKILL)  # a child that has ended stays a zombie until waitpid, so this is safe
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            done, at_call = done + 1, at_call + by_call
        elif status == 0:
            equal = equal and written(folder / f"run-{runs}") == reference
            runs += 1
            if done >= kills:
                break
        else:
            raise SystemExit(f"a life ended with status {status}")
    print(json.dumps({"kills": done, "at_call": at_call, "runs": runs, "equal": equal, "lines": len(reference[0])}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
