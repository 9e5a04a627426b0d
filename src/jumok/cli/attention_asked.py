"""What `jumok attention` was asked, whatever the job of the run, and where it writes."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jumok.cli.console import say
from jumok.errors import UserError

if TYPE_CHECKING:
    from jumok.insight.choice import Choice
    from jumok.insight.keeping import View


@dataclass(frozen=True)
class Asked:
    """Runs, places to write and options that several jobs share."""

    run: str
    beside: str | None
    file: Path | None
    output: Path
    save: Path | None
    target: str | None
    beam: int | None
    choice: "Choice"
    device: str

    @property
    def runs(self) -> list[str]:
        """The run, and the one beside it."""
        return [self.run] if self.beside is None else [self.run, self.beside]

    def keep(self, names: Sequence[str], looks: Iterable[Sequence["View"]]) -> None:
        """With --save write what there is to keep of each input's looks, a look a run, all or nothing.

        Several inputs have a folder each under their `names`, and two runs a folder each in it.
        """
        if self.save is None:
            return
        from jumok.insight.keeping import write_keepsakes

        runs = different([Path(run).name or run for run in self.runs])
        write_keepsakes(
            self.save,
            (
                ("/".join([name] * (len(names) > 1) + [run] * (len(views) > 1)), view)
                for name, views in zip(different(names), looks, strict=True)
                for run, view in zip(runs, views, strict=False)  # a ResNet has no look of its own
            ),
        )
        say(f"wrote {self.save}: maps.npz, and the figures as PNG and SVG")

    def wrote(self, more: str = "") -> None:
        """Say that the page is there, and how large."""
        say(f"wrote {self.output} ({self.output.stat().st_size / 1e6:.1f} MB){more}")


def different(names: Sequence[str]) -> list[str]:
    """The names, those that came before with a number behind them; none leads out of its folder."""
    found: list[str] = []
    for name in names:
        plain = name.replace(os.sep, "-").lstrip(".") or "input"
        again = 1
        while (tried := plain if again == 1 else f"{plain}-{again}") in found:
            again += 1
        found.append(tried)
    return found


def room_for(folder: Path | None) -> None:
    """Stop before the work, not after it, when a new folder could not be written there."""
    if folder is None:
        return
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty; choose another folder for --save, or remove it first")
    above = next(parent for parent in folder.absolute().parents if parent.exists())
    if (folder.exists() and not folder.is_dir()) or not above.is_dir() or not os.access(above, os.W_OK):
        raise UserError(f"the folder {folder} cannot be written; choose another for --save")
