"""The table that sets two runs side by side on the same images."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jumok.cli.console import table

if TYPE_CHECKING:
    from jumok.metrics.classes import PairedAccuracy


def comparison_table(title: str, run: str, against: str, pairs: Mapping[str, "PairedAccuracy"]) -> None:
    """One line for each kind of being right: both scores, the difference, and McNemar's test of it."""
    rows = [
        (
            name,
            f"{pair.a:.2f}",
            f"{pair.b:.2f}",
            f"{pair.difference:+.2f}",
            f"{pair.interval[0]:+.2f} to {pair.interval[1]:+.2f}",
            f"{pair.only_a} / {pair.only_b}",
            f"{pair.p_value:.3g}",
        )
        for name, pair in pairs.items()
    ]
    columns = ["", run, against, "difference", "95 % interval", "only one is right", "p (McNemar)"]
    table(title, columns, rows)
