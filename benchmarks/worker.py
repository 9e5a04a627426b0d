"""One side of a comparison is one process: it gets ready, works whenever a line comes in, and says how long it took.

Standard library only, so that a peer in another environment can use it. The protocol, one JSON object a line::

    started with one argument, its settings    -> {"ready": true, "versions": {...}}    after a warm-up
    "go" on standard input                     -> {"amount": .., "seconds": .., "peak_bytes": ..}
    end of standard input                      -> exits
"""

import json
import os
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

# What libraries print must not meet the protocol: file descriptor 1 becomes that of errors, which goes to a log.
_OUT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def settings() -> dict[str, Any]:
    """What the harness wants of this process."""
    values: dict[str, Any] = json.loads(sys.argv[1])
    return values


def read(name: str) -> Any:
    """One of the JSON files of the work folder: batches, sentences, sizes."""
    return json.loads((Path(settings()["work"]) / f"{name}.json").read_text())


def ready(*packages: str) -> None:
    """The warm-up is over; these packages took part."""
    versions = {name: metadata.version(name) for name in packages} | {"python": sys.version.split()[0]}
    _say({"ready": True, "versions": versions})


def wait() -> None:
    """Return at the next "go"; end the process when there is none."""
    if sys.stdin.readline().strip() != "go":
        os._exit(0)


def report(amount: float, seconds: float, **more: Any) -> None:
    """One turn is done."""
    _say({"amount": amount, "seconds": seconds, "peak_bytes": peak_bytes()} | more)


def serve(turn: Callable[[], tuple[float, dict[str, Any]]]) -> None:
    """Answer each "go" with one timed `turn`, which returns how much it did, and anything else to tell."""
    while True:
        wait()
        started = time.perf_counter()
        amount, more = turn()
        report(amount, time.perf_counter() - started, **more)


class Pace:
    """For a training loop that is not ours to stop: called before each step, it holds the loop between two turns."""

    def __init__(self, steps: int, warm_up: int, *packages: str) -> None:
        self.steps, self.packages = steps, packages
        self.left, self.amount, self.started = warm_up, 0.0, 0.0
        self.warm = False

    def step(self) -> None:
        """Another step is about to begin."""
        if self.left == 0:
            elapsed = time.perf_counter() - self.started
            if self.warm:
                report(self.amount, elapsed)
            else:
                ready(*self.packages)
                self.warm = True
            wait()
            self.left, self.amount, self.started = self.steps, 0.0, time.perf_counter()
        self.left -= 1


def peak_bytes() -> int:
    """The most memory this process has held so far."""
    status = Path("/proc/self/status")
    if status.exists():
        # of this program alone; ru_maxrss also remembers the process that started it
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _say(values: dict[str, Any]) -> None:
    print(json.dumps(values), file=_OUT, flush=True)
