"""Which layers and heads are looked at, by the numbers that a page shows: counted from 1, the layers in each stack."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from jumok.errors import UserError
from jumok.insight.maps import Map, Weights, as_map
from jumok.insight.recorded import kind_of


@dataclass(frozen=True)
class Chosen:
    """An attention that is looked at.

    Attributes:
        name: its module path.
        layer: its number in its stack, as the page shows it.
        heads: the numbers of the heads that are kept.
        weights: ``(H, Q, K)`` of these heads.
    """

    name: str
    layer: int
    heads: tuple[int, ...]
    weights: Map


@dataclass(frozen=True)
class Choice:
    """Numbers of the layers and of the heads to look at; None is all of them.

    A layer's number counts within its stack: layer 2 is the second of the encoder, and of the decoder.
    """

    layers: tuple[int, ...] | None = None
    heads: tuple[int, ...] | None = None

    @classmethod
    def parse(cls, layers: str | None, heads: str | None) -> Self:
        """From what a user types, ``"1,3-4"``. Raises `UserError` if it is not so written."""
        return cls(
            None if layers is None else numbers("--layers", layers),
            None if heads is None else numbers("--heads", heads),
        )

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self.layers is None and self.heads is None

    def pick(self, maps: Mapping[str, Weights]) -> list[Chosen]:
        """What is chosen of the `maps` ``(H, Q, K)`` by module path, in their order.

        Raises `UserError` for a layer or head that does not exist; the message lists those that do.
        """
        places: dict[str, int] = {}
        counts: dict[str, int] = {}
        for name in maps:
            kind = kind_of(name)
            places[name] = counts[kind] = counts.get(kind, 0) + 1
        _check("layer", self.layers, max(counts.values(), default=0), "this model")
        found = []
        for name, layer in places.items():
            if self.layers is None or layer in self.layers:
                weights = as_map(maps[name])
                _check("head", self.heads, len(weights), name)
                if self.heads is None:
                    found.append(Chosen(name, layer, tuple(range(1, len(weights) + 1)), weights))
                else:
                    kept = weights[[head - 1 for head in self.heads]]
                    found.append(Chosen(name, layer, self.heads, kept))
        return found

    def said(self) -> str:
        """ "layers 1, 3-4; head 2"; empty where nothing is left out."""
        parts = (("layer", self.layers), ("head", self.heads))
        return "; ".join(f"{what}{'s' * (len(each) > 1)} {_listed(each)}" for what, each in parts if each)

    def noted(self) -> str:
        """The same at the end of a line on the model: " · layers 1, 3-4"."""
        return "" if self.everything else f" · {self.said()}"


EVERYTHING = Choice()


def numbers(option: str, text: str) -> tuple[int, ...]:
    """The numbers of ``"1,3-4"``, each once, in order. Raises `UserError` naming `option` if it is not so written."""
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,4})\s*(?:-\s*(\d{1,4})\s*)?", part)
        if match is None:
            raise UserError(f"{option} {text}: {part.strip()!r} is no number; write numbers and ranges, as in 1,3-4")
        first, last = int(match[1]), int(match[2] or match[1])
        if first < 1 or last < first:
            raise UserError(f"{option} {text}: {part.strip()} is no range from 1 up; write it as in 1,3-4")
        found.update(range(first, last + 1))
    return tuple(sorted(found))


def _check(what: str, wanted: Sequence[int] | None, count: int, where: str) -> None:
    missing = [number for number in wanted or () if number > count]
    if missing:
        there = f"{what}s 1 to {count}" if count > 1 else f"only {what} 1"
        raise UserError(f"there is no {what} {missing[0]}; {where} has {there}")


def _listed(wanted: Sequence[int]) -> str:
    """1, 3, 4, 5 -> "1, 3-5"."""
    runs: list[list[int]] = []
    for number in wanted:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
