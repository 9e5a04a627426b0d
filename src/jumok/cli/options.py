"""Options that several verbs share, and how those of decoding join the ones stored in the run."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from jumok.errors import UserError

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
Sample = Annotated[bool, typer.Option("--sample", help="Draw outputs instead of searching the best.")]
Temperature = Annotated[float | None, typer.Option(help="Sampling: below 1 is safer, above 1 wilder.")]
TopK = Annotated[int | None, typer.Option(help="Sampling: only the K likeliest pieces.")]
TopP = Annotated[float | None, typer.Option(help="Sampling: only the likeliest pieces that sum to P.")]
Seed = Annotated[int | None, typer.Option(help="Sampling: the same seed gives the same output.")]
BatchTokens = Annotated[
    int, typer.Option(min=1, help="Source pieces decoded together: more is faster, needs more memory.")
]
PrecisionOption = Annotated[Precision, typer.Option(help="Arithmetic; auto: the fastest here, by a committed table.")]
ImagePrecisionOption = Annotated[
    ImagePrecision, typer.Option(help="Arithmetic; auto: the fastest here, by a committed table.")
]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, or auto.")]


def image_precision(asked: Precision) -> ImagePrecision:
    """The same for a predictor of images. Raises `UserError` for int8."""
    if asked == Precision.int8:
        raise UserError("--precision int8 is for translators; a model of images computes in fp32 or bf16")
    return ImagePrecision(asked.value)


def search_options(stored: "SearchOptions", **given: object) -> "SearchOptions":
    """The options stored in the run with every one that was given on the command line in their place."""
    from jumok.config import parse
    from jumok.decoding.search import SearchOptions

    values = stored.model_dump() | {key: value for key, value in given.items() if value is not None}
    return parse(SearchOptions, values, "the command line")


def n_best_options(
    stored: "SearchOptions", beam: int | None, n_best: int, sample: bool, **given: object
) -> "SearchOptions":
    """The same where `n_best` outputs are asked for, as many beams with them, or so many are drawn by chance.

    Raises `UserError` for fewer beams, and for what only matters to sampling without it.
    """
    sampling = {f"--{name.replace('_', '-')}": given.get(name) for name in ("temperature", "top_k", "top_p", "seed")}
    idle = [name for name, value in sampling.items() if value is not None]
    if idle and not sample:
        raise UserError(
            f"{', '.join(idle)} only matter{'s' * (len(idle) == 1)} to sampling; add --sample, or leave it out"
        )
    if beam is not None and beam < n_best and not sample:
        raise UserError(f"--n-best {n_best} needs as many beams; give --beam {n_best} or more")
    beam = max(stored.beam, n_best) if beam is None else beam
    return search_options(stored, beam=beam, n_best=n_best, sample=sample, **given)
