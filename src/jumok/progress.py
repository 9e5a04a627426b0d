"""Who is told how far a long piece of work has come: a bar of the command line, or nobody."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, Self


class Counting(Protocol):
    """Something that is told of items done."""

    def advance(self, count: int) -> None:
        """`count` more items are done."""
        ...


Counter = Callable[[str, int], AbstractContextManager[Counting]]
"""Called with what is done and how many items there are: ``with counter("reading images", 60_000) as bar``."""


class Silent:
    """A `Counter` that shows nothing."""

    def __init__(self, what: str, total: int) -> None:
        del what, total

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def advance(self, count: int) -> None:
        """Nothing to tell."""
