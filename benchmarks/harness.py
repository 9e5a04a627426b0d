"""Workers started, taken in turns, and compared: ratios of neighbours in time, and their median."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAUSE = 0.5  # seconds: threads that spin after their work have gone to sleep


class Failed(Exception):
    """A worker did not start or broke off; the message is the end of its log."""


@dataclass(frozen=True)
class Side:
    """One way to do the work: a module of `benchmarks`, its settings, and the Python that runs it."""

    module: str
    settings: dict[str, Any]
    python: str = sys.executable
    shown: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The settings that tell it from its alternatives."""
        return " ".join(f"{key}={self.settings[key]}" for key in self.shown)


@dataclass
class Comparison:
    """Turns of two sides, in alternation; `ours` and `peer` in amount a second."""

    ours: list[float] = field(default_factory=list)
    peer: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        return [a / b for a, b in zip(self.ours, self.peer, strict=True)]


class Worker:
    """A side as a running process."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in `stop`
        threads = str(side.settings["threads"])
        self._process = subprocess.Popen(
            [side.python, "-m", f"benchmarks.{side.module}", json.dumps(side.settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
        )
        try:
            self.versions: dict[str, str] = self._read()["versions"]
        except BaseException:
            self.stop()
            raise

    def turn(self) -> dict[str, Any]:
        """One turn: amount, seconds, peak_bytes, and what else the worker tells."""
        time.sleep(PAUSE)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # reading says why
        return self._read()

    def rate(self) -> float:
        """Amount a second in one turn."""
        answer = self.turn()
        return float(answer["amount"] / answer["seconds"])

    def stop(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self._log.seek(0)
            tail = "\n    ".join(self._log.read().splitlines()[-12:])
            raise Failed(f"benchmarks.{self.side.module} {self.side.name} ended with code {code}:\n    {tail}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def running(side: Side) -> Iterator[Worker]:
    """A worker that is stopped in the end."""
    worker = Worker(side)
    try:
        yield worker
    finally:
        worker.stop()


def compare(ours: Side, peers: Sequence[Side], rounds: int) -> tuple[list[Comparison], dict[str, str]]:
    """Ours and each peer in turns: A B C A B C ...; one comparison for each peer, and the versions of all."""
    with ExitStack() as stack:
        workers = [stack.enter_context(running(side)) for side in (ours, *peers)]
        turns = [[worker.rate() for worker in workers] for _ in range(rounds)]
        versions = {name: version for worker in workers for name, version in worker.versions.items()}
    columns = [list(column) for column in zip(*turns, strict=True)]
    return [Comparison(columns[0], column) for column in columns[1:]], versions


def fastest(sides: Sequence[Side], say: Any) -> tuple[Side, dict[str, float]]:
    """The side with the most amount a second in one turn, and what each reached; one that cannot run is left out."""
    reached: dict[str, float] = {}
    for side in sides:
        try:
            with running(side) as worker:
                reached[side.name] = worker.rate()
            say(f"    {side.module} {side.name}: {reached[side.name]:,.0f} /s")
        except Failed as error:
            say(f"    {side.module} {side.name}: cannot run here\n{error}")
    if not reached:
        raise Failed(f"no setting of benchmarks.{sides[0].module} runs here")
    return max((side for side in sides if side.name in reached), key=lambda side: reached[side.name]), reached


def median(values: Sequence[float]) -> float:
    return statistics.median(values)
