"""Where a training stands: everything the loop counts, in one value that is saved and restored whole."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from jumok.training.options import TrainingOptions


@dataclass
class Progress:
    """Counters of the loop. A batch counts once its step is done."""

    step: int = 0
    epoch: int = 0
    position: int = 0
    """Batches of this epoch done."""
    batches: int = 0
    """Batches this epoch has, and their digest: if options changed them, the share of the epoch is what is kept."""
    digest: str = ""
    seconds: float = 0.0
    """Time spent, over all sessions."""
    validated: int = 0
    """The step of the last validation."""
    best: float | None = None
    best_step: int = 0
    waited: int = 0
    """Validations since the best one."""
    members: list[str] = field(default_factory=list)
    """Weights kept for the mean at the end, oldest first."""
    window: dict[str, float] = field(default_factory=dict)
    """Sums since the last line of the log: loss, weight, and the task's metrics."""

    def enter(self, batches: Sequence[list[int]]) -> bool:
        """Take in this epoch's batches; False if they are not those that `position` was counted in."""
        digest = hashlib.sha256(json.dumps(list(batches)).encode()).hexdigest()
        same = self.digest in ("", digest) or self.position == 0
        if not same:
            self.position = min(round(self.position / self.batches * len(batches)), len(batches) - 1)
        self.batches, self.digest = len(batches), digest
        return same

    def advance(self, count: int) -> None:
        """Count one step that used `count` batches."""
        self.step += 1
        self.position += count
        if self.position >= self.batches:
            self.epoch, self.position = self.epoch + 1, 0

    def add(self, sums: dict[str, float]) -> None:
        """Add one step's sums to the window."""
        for name, value in sums.items():
            self.window[name] = self.window.get(name, 0.0) + value

    def means(self) -> dict[str, float]:
        """The window's sums, divided by its weight."""
        return {name: value / self.window["weight"] for name, value in self.window.items() if name != "weight"}

    def judge(self, value: float, higher_is_better: bool) -> bool:
        """Take in a validation's score; True if it is the best so far. NaN never is."""
        self.validated = self.step
        better = not math.isnan(value) and (
            self.best is None or (value > self.best if higher_is_better else value < self.best)
        )
        if better:
            self.best, self.best_step, self.waited = value, self.step, 0
        else:
            self.waited += 1
        return better

    def finished(self, options: TrainingOptions) -> bool:
        """Whether a limit, or the patience, is reached."""
        return self.share(options) >= 1.0 or (options.patience > 0 and self.waited >= options.patience)

    def share(self, options: TrainingOptions) -> float:
        """How much of the way to the nearest limit is done, 0 to 1."""
        epochs = self.epoch + (self.position / self.batches if self.batches else 0.0)
        shares = [
            done / limit
            for done, limit in (
                (self.step, options.steps),
                (epochs, options.epochs),
                (self.seconds / 60, options.minutes),
            )
            if limit is not None
        ]
        return max(shares)

    def validation_due(self, options: TrainingOptions) -> bool:
        """Whether this step, not validated yet, is one to validate at: by count, after an epoch, or at the end."""
        if self.step == self.validated:
            return False
        every = options.validate_every
        return self.finished(options) or (self.step % every == 0 if every else self.position == 0)
