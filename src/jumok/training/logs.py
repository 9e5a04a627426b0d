"""What a run writes down while it trains: `metrics.jsonl`, and the same for TensorBoard."""

import json
import logging
from importlib.util import find_spec
from pathlib import Path

from lightning_fabric.loggers.tensorboard import TensorBoardLogger

from jumok.errors import UserError
from jumok.files import atomic_write

log = logging.getLogger("jumok")


class Logs:
    """One JSON line per log and per validation.

    `lines` is how many there are: a saved state remembers it, and a resumed run cuts the file back to it, so that no
    step appears twice.
    """

    def __init__(self, folder: Path, tensorboard: bool) -> None:
        self.path = folder / "metrics.jsonl"
        self.lines = 0
        self._tensorboard = tensorboard
        self._board: TensorBoardLogger | None = None

    def start(self, lines: int, step: int) -> None:
        """Continue after the first `lines` lines, and after `step`; what stands beyond is cut off."""
        kept: list[str] = []
        if self.path.exists():
            # a line that a kill cut short is among those dropped
            kept = self.path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)[:lines]
        atomic_write(self.path, "".join(kept))
        self.lines = len(kept)
        if self._tensorboard and find_spec("tensorboard") is None and find_spec("tensorboardX") is None:
            log.warning(
                "TensorBoard is not installed, so there is metrics.jsonl alone: pip install 'jumok[tensorboard]'"
            )
        elif self._tensorboard:
            self._board = TensorBoardLogger(self.path.parent, name="", version="tensorboard", purge_step=step + 1)

    def write(self, values: dict[str, float]) -> None:
        """Append one line; ``values`` holds ``step``. Raises `UserError` where it cannot be written."""
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(values) + "\n")
            self.lines += 1
            if self._board is not None:
                numbers = {name: value for name, value in values.items() if name != "step"}
                self._board.log_metrics(numbers, int(values["step"]))
        except OSError as error:
            reason = f"{error.strerror}; free space, then continue with --resume"
            raise UserError(f"cannot write {self.path}: {reason}") from error

    def close(self) -> None:
        """Write out what TensorBoard still holds."""
        if self._board is not None:
            self._board.finalize("done")
