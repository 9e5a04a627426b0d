"""Counts as lines of text: a label, the number, and a bar as long as the number is large."""

from collections.abc import Sequence

_BAR = 24


def bars(rows: Sequence[tuple[str, int]]) -> list[str]:
    """One line a row: label, count, and a bar as long as the count is large."""
    wide = max(len(label) for label, _ in rows)
    most = max(1, *(count for _, count in rows))
    drawn = ["█" * max(round(_BAR * count / most), int(count > 0)) for _, count in rows]
    return [f"    {label:>{wide}}  {count:>9,} {bar}".rstrip() for (label, count), bar in zip(rows, drawn, strict=True)]
