"""What the verbs share at the terminal: progress that appears late, tables that need no colour, places to write."""

import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jumok.errors import UserError

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE = 2.0  # seconds of silence before a bar appears


class Bar:
    """A progress bar on stderr: only on a terminal, only once the work takes more than two seconds."""

    def __init__(self, what: str, total: int | None = None) -> None:
        self.what, self.total, self.done = what, total, 0
        self.start = time.monotonic()
        self.progress: Progress | None = None

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_: object) -> None:
        if self.progress is not None:
            self.progress.stop()

    def advance(self, count: int) -> None:
        """`count` more items are done."""
        self.done += count
        if self.progress is None and sys.stderr.isatty() and time.monotonic() - self.start > PATIENCE:
            self.progress = _progress()
            self.progress.add_task(self.what, total=self.total)
            self.progress.start()
        if self.progress is not None:
            self.progress.update(self.progress.task_ids[0], completed=self.done)


def _progress() -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], numbers: bool = True) -> None:
    """A table on stdout; `numbers` puts every column but the first to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    sheet = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left", show_header=any(columns))
    for place, column in enumerate(columns):
        sheet.add_column(column, justify="right" if numbers and place else "left", overflow="fold")
    for row in rows:
        sheet.add_row(*(f"{cell:.6g}" if isinstance(cell, float) else str(cell) for cell in row))
    # piped into a file there is no terminal to fit: wide enough that nothing folds
    Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False).print(sheet)


def writable(path: Path | None) -> None:
    """Stop before the work, not after it, when a result could not be written to `path`."""
    if path is None:
        return
    if path.is_dir():
        raise UserError(f"{path} is a folder; give the name of a file to write")
    folder = path.parent
    if not folder.is_dir():
        raise UserError(f"the folder {folder} does not exist; make it, or write {path.name} elsewhere")
    if not os.access(folder, os.W_OK):
        raise UserError(f"the folder {folder} cannot be written; write {path.name} elsewhere")


def say(*lines: str) -> None:
    """Notes for the person at the terminal: on stderr, so that stdout stays the result."""
    for line in lines:
        print(line, file=sys.stderr, flush=True)
