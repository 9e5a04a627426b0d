"""What `jumok attention` was asked, whatever the job of the run, and where it writes."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from jumok.cli.console import Bar, say
from jumok.errors import UserError

if TYPE_CHECKING:
    from torch import nn

    from jumok.insight.choice import Choice
    from jumok.insight.keeping import View
    from jumok.insight.pair_viewer import PairView
    from jumok.insight.viewer import AttentionView
    from jumok.insight.window import Window

T = TypeVar("T")
V = TypeVar("V", "AttentionView", "PairView")


@dataclass(frozen=True)
class Film:
    """A GIF of so many saved steps."""

    steps: int
    content: bytes


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
    window: "Window | None"
    film: Path | None
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

    def filmed(self, model: "nn.Module", look: "Callable[[], View]") -> Film | None:
        """With --film the film of what `look` sees, while `model` has the weights of each saved step of the run.

        `model` is left with the last of them, so that the page is looked at before.
        """
        if self.film is None:
            return None
        from jumok.insight.film import scene, training_film
        from jumok.tasks.saved_steps import at_saved_steps

        scenes = at_saved_steps(self.run, model, lambda: scene(look()), say)
        return Film(len(scenes), training_film(scenes))

    def shown(self, inputs: Sequence[T], look: "Callable[[T], list[V]]", what: str) -> "list[list[V]]":
        """The looks at each of the inputs, a look a run, as many as a page can hold; `what` the inputs are.

        Raises `UserError` where it cannot hold the first: it says which window it can.
        """
        from jumok.insight.viewer import LARGEST
        from jumok.insight.window import fitting, longest, weight_count

        shown: list[list[V]] = []
        room = LARGEST
        with Bar("looking", total=len(inputs)) as bar:
            for each in inputs:
                views = look(each)
                room -= weight_count(views)
                if room < 0:
                    break
                shown.append(views)
                bar.advance(1)
        if not shown:
            first = 1 if self.window is None else self.window[0]
            last = first + fitting(views, LARGEST) - 1
            raise UserError(
                f"{longest(views)} tokens are {LARGEST - room:,} weights, more than a page can hold ({LARGEST:,}); "
                f"look at a part of them with --window {first}-{last}, or at some layers or heads (--layers, --heads)"
            )
        if len(shown) < len(inputs):
            say(f"a page holds {LARGEST:,} weights; cut {len(inputs) - len(shown)} of {len(inputs)} {what}")
        return shown

    def wrote(self, film: Film | None, more: str = "") -> None:
        """Say that the page is there, and how large; write the film beside it."""
        say(f"wrote {self.output} ({self.output.stat().st_size / 1e6:.1f} MB){more}")
        if self.film is not None and film is not None:
            from jumok.files import atomic_write

            atomic_write(self.film, film.content)
            say(f"wrote {self.film}: {film.steps} saved steps")


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
