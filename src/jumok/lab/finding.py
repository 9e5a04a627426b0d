"""What an experiment is given, and what it gives back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from jumok.lab.sentences import Example

Cell = str | int | float | None


@dataclass(frozen=True)
class Setting:
    """How much to spend, and on what.

    ``quick``: the small version, same shapes; ``seeds``: each repetition's; ``folder``: where to leave what is trained
    or generated; ``runs``: trained translators by the name they have in figures, and ``test`` sentences for them, as
    (sources, references); both empty where the generated corpus is to do; ``sentences``: a person's own, for words in
    context.
    """

    quick: bool
    seeds: Sequence[int]
    folder: Path
    runs: Mapping[str, Path] = field(default_factory=dict)
    test: tuple[Sequence[str], Sequence[str]] = ((), ())
    sentences: "Sequence[Example]" = ()
    say: Callable[[str], None] = print

    @property
    def spread(self) -> str:
        """What a line and its band are, for a figure's caption."""
        count = len(self.seeds)
        return f"mean of {count} seeds, band from the lowest to the highest" if count > 1 else "one seed"

    def pick(self, full: Any, quick: Any) -> Any:
        """The value for the full laboratory, or for the quick one."""
        return quick if self.quick else full


@dataclass(frozen=True)
class Table:
    """Rows under named columns; numbers are shown as they are rounded here."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""


@dataclass(frozen=True)
class Drawing:
    """A figure, and one sentence on what it shows and how it was measured."""

    figure: "Figure"
    caption: str


@dataclass(frozen=True)
class Finding:
    """One experiment's result.

    ``shows`` says in one sentence what was seen, in words made from the numbers; ``how`` how it was measured;
    ``data`` is all that was measured, as plain values for ``results.json``; ``drawings`` go to PNG by their name.
    """

    shows: str
    how: str
    data: Mapping[str, Any]
    drawings: Mapping[str, Drawing] = field(default_factory=dict)
    tables: Sequence[Table] = ()
