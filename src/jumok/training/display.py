"""What a person sees while training: a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar


class Display:
    """Step, epoch, loss, rate and time left, and the notes and scores between them.

    `shown` is False in all but the first process; `unit` is what the rate counts. The time left is
    extrapolated from this session.
    """

    def __init__(self, share: float, shown: bool, unit: str) -> None:
        self._console = Console(quiet=not shown, highlight=False, soft_wrap=True)
        self._unit = unit
        self._from, self._began, self._printed = share, time.monotonic(), 0.0
        self._bar = Bar(
            TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[left]}"),
            console=self._console, disable=not (shown and self._console.is_terminal), transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("starting", total=1.0, left="")
        self._bar.update(self._task, completed=share)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def step(self, step: int, epoch: int, loss: float, rate: float, share: float) -> None:
        """One step done; `rate` is in units a second, `share` how much of the training is done."""
        done, spent = share - self._from, time.monotonic() - self._began
        left = f"{timedelta(seconds=round(spent * (1 - share) / done))} left" if done > 0 and share < 1 else ""
        text = f"step {step}  epoch {epoch + 1}  loss {loss:.4f}  {rate:,.0f} {self._unit}/s"
        self._bar.update(self._task, description=text, completed=share, left=left)
        if not self._console.is_terminal and spent - self._printed > 10:
            self._printed = spent
            self._console.print(f"{text}  {left}", markup=False)

    def scores(self, step: int, scores: Mapping[str, float], what: str = "validation") -> None:
        """The scores of a validation."""
        self.note(f"step {step}  {what}  " + "  ".join(f"{name} {value:.4g}" for name, value in scores.items()))

    def activity(self, text: str) -> None:
        """What is going on between two steps; passing, so only a terminal shows it."""
        self._bar.update(self._task, description=text)

    def note(self, text: str) -> None:
        """One line that stays."""
        self._console.print(text, markup=False)
