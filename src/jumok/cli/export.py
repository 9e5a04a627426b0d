"""``jumok export RUN --to sentence-transformers DIR``: a run in another tool's layout."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from jumok.cli import options
from jumok.cli.console import say
from jumok.errors import UserError


class Layout(StrEnum):
    """What a run can be written as."""

    sentence_transformers = "sentence-transformers"


def export(
    run: options.RunPath,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write; new, or empty.")],
    to: Annotated[Layout, typer.Option(help="The layout.")],
) -> None:
    """Write a sentence encoder as sentence-transformers reads it: the same vectors, within 1e-5.

    Only encoders in BERT's layout can leave so (model.preset = bert).
    """
    from jumok.interop.sentence_transformers import save
    from jumok.tasks.embed_predict import SentenceEmbedder
    from jumok.tasks.runs import task_of

    if (job := task_of(run)) != "embed":
        raise UserError(f"{run} is a run of the task {job}; only sentence encoders are written as {to.value}")
    embedder = SentenceEmbedder.load(run, device="cpu")
    save(embedder.model, embedder.tokenizer, folder, lowercase=embedder.lowercase)
    say(f'wrote {folder}; read it with SentenceTransformer("{folder}")')
