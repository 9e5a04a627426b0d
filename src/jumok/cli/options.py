"""Options that several verbs share, and how those of decoding join the ones stored in the run."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from jumok.decoding.search import SearchOptions


class Precision(StrEnum):
    """Arithmetic of a predictor."""

    fp32 = "fp32"
    bf16 = "bf16"
    int8 = "int8"
    auto = "auto"


class ImagePrecision(StrEnum):
    """Arithmetic of a predictor of images."""

    fp32 = "fp32"
    bf16 = "bf16"
    auto = "auto"


RunPath = Annotated[
    str, typer.Argument(metavar="RUN", help="A run directory; `demo` is the one that ships; A,B is an ensemble.")
]
Beam = Annotated[int | None, typer.Option(help="Beams; 1 is greedy. [default: the recipe's]")]
LengthPenalty = Annotated[float | None, typer.Option(help="GNMT alpha; 0 prefers short. [default: the recipe's]")]
MaxLength = Annotated[int | None, typer.Option(help="Most pieces of an output. [default: 2 x source + 10]")]
MinLength = Annotated[int | None, typer.Option(help="Fewest pieces of an output.")]
NoRepeatNgram = Annotated[int | None, typer.Option(help="No n pieces in a row appear twice; 0 is off.")]
BatchTokens = Annotated[
    int, typer.Option(min=1, help="Source pieces decoded together: more is faster, needs more memory.")
]
PrecisionOption = Annotated[Precision, typer.Option(help="Arithmetic; auto: the fastest here, by a committed table.")]
ImagePrecisionOption = Annotated[
    ImagePrecision, typer.Option(help="Arithmetic; auto: the fastest here, by a committed table.")
]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, or auto.")]


def search_options(stored: "SearchOptions", **given: object) -> "SearchOptions":
    """The options stored in the run with every one that was given on the command line in their place."""
    from jumok.config import parse
    from jumok.decoding.search import SearchOptions

    values = stored.model_dump() | {key: value for key, value in given.items() if value is not None}
    return parse(SearchOptions, values, "the command line")
