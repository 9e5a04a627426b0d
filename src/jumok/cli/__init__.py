"""The front door: one verb per job, thin. Heavy imports stand inside the verbs, so that ``--help`` answers at once."""

import errno
import sys
from contextlib import suppress
from typing import Annotated

import typer

from jumok import __version__
from jumok.cli.attention import attention
from jumok.cli.caption import caption
from jumok.cli.classify import classify
from jumok.cli.compare import compare
from jumok.cli.data import check, sample
from jumok.cli.demo import demo
from jumok.cli.embed import embed, search
from jumok.cli.evaluate import evaluate
from jumok.cli.export import export
from jumok.cli.info import info
from jumok.cli.read import read
from jumok.cli.train import train
from jumok.cli.translate import translate
from jumok.cli.words import words
from jumok.errors import UserError

# plain help: no colour needed to read it, and nothing of rich is loaded for it
app = typer.Typer(
    name="jumok",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at data, or write a sample of it.")

app.command()(train)
app.command()(evaluate)
app.command()(translate)
app.command()(classify)
app.command()(caption)
app.command()(read)
app.command()(embed)
app.command()(search)
app.command()(attention)
app.command()(export)
app.command()(info)
app.command()(compare)
app.command()(demo)
app.add_typer(data, name="data")
data.command()(check)
data.command()(sample)
data.command()(words)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"jumok {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Jumok (주목, "attention"): train, see and run attention models.

    A model is trained with `jumok train RECIPE key=value ...`; its run directory is all that the other verbs need.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run one command and end the process: 0 done, 2 a mistake the user can fix, 130 stopped by Ctrl-C."""
    try:
        app(args=arguments, prog_name="jumok")
    except UserError as error:
        # flushed first, so that what was already answered stands before the message
        sys.stdout.flush()
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = f"cannot write {error.filename}" if error.filename else "cannot write the output"
        print(f"error: {where}: {error.strerror}; free space and try again", file=sys.stderr)
        with suppress(OSError):
            sys.stdout.close()  # what it still holds can go nowhere, and python would try again at its end
        sys.exit(2)
