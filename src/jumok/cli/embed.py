"""``jumok embed RUN -o vectors.npy < sentences.txt`` and ``jumok search``: vectors of sentences, and what is near."""

import io
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from jumok.cli import options
from jumok.cli.console import Bar, say, writable
from jumok.errors import UserError

Windows = Annotated[
    bool,
    typer.Option("--windows", help="Read lines longer than the model in windows, and take their mean; else cut them."),
]
BatchTokens = Annotated[
    int, typer.Option(min=1, help="Pieces read together: more is faster on a GPU, needs more memory.")
]


def embed(
    run: options.RunPath,
    output: Annotated[Path, typer.Option("--output", "-o", help="The .npy file to write.")],
    windows: Windows = False,
    batch_tokens: BatchTokens = 2048,
    precision: options.ImagePrecisionOption = options.ImagePrecision.fp32,
    device: options.Device = "auto",
) -> None:
    """Write a vector for every line of stdin: float32 (lines, dim), each of length 1, in the order of the lines.

    An empty line has the zero vector. The product of two vectors is the cosine of their angle.
    """
    import numpy as np

    from jumok.data.text import stream_lines
    from jumok.files import atomic_write
    from jumok.tasks.embed_predict import SentenceEmbedder

    writable(output)
    embedder = SentenceEmbedder.load(run, precision=precision.value, device=device)
    lines = list(stream_lines(sys.stdin.buffer, normalize="none"))
    with Bar("embedding", total=len(lines)) as bar:
        found = embedder.embed(lines, windows=windows, batch_tokens=batch_tokens, advance=bar.advance)
    content = io.BytesIO()
    np.save(content, found.vectors)
    atomic_write(output, content.getvalue())
    _tell_long(found.long, len(lines), windows, embedder.model.config.room)
    empty = sum(not line.strip() for line in lines)
    if empty:
        say(f"notice: {empty:,} of {len(lines):,} lines are empty, their vectors zero")
    say(f"wrote {output}: {found.vectors.shape[0]:,} vectors of {found.vectors.shape[1]:,} numbers")


def search(
    run: options.RunPath,
    corpus: Annotated[Path, typer.Argument(metavar="CORPUS", help="The sentences to search, one a line; .gz too.")],
    queries: Annotated[list[str] | None, typer.Argument(metavar="[QUERY]...", help="Else lines of stdin.")] = None,
    top: Annotated[int, typer.Option(min=1, help="The N nearest sentences of each query.")] = 5,
    approximate: Annotated[
        bool, typer.Option("--approximate", help="By an index (HNSW of usearch): faster for millions, misses a few.")
    ] = False,
    vectors: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Vectors of CORPUS that `jumok embed` wrote: saves embedding it."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a query.")] = False,
    windows: Windows = False,
    batch_tokens: BatchTokens = 2048,
    precision: options.ImagePrecisionOption = options.ImagePrecision.fp32,
    device: options.Device = "auto",
) -> None:
    """Find the sentences of a file that are nearest to a query: cosine, line number, sentence, with tabs between them.

    Lines of the file that say the very same are found once, the first of them.
    """
    from jumok.data.text import read_lines, stream_lines
    from jumok.tasks.embed_predict import SentenceEmbedder
    from jumok.tasks.embed_search import Index, read_vectors

    lines = read_lines(corpus, "none").lines
    embedder = SentenceEmbedder.load(run, precision=precision.value, device=device)
    if vectors is None:
        with Bar("embedding the corpus", total=len(lines)) as bar:
            found = embedder.embed(lines, windows=windows, batch_tokens=batch_tokens, advance=bar.advance)
        _tell_long(found.long, len(lines), windows, embedder.model.config.room)
        stored = found.vectors
    else:
        stored = read_vectors(vectors, len(lines), embedder.width)
    index = Index(lines, stored, approximate=approximate)
    asked = list(queries or stream_lines(sys.stdin.buffer, normalize="none"))
    if not asked:
        raise UserError("there is no query; give one behind the file, or some on standard input")
    answers = index.search(embedder.embed(asked, windows=windows).vectors, top)
    for query, hits in zip(asked, answers, strict=True):
        if as_json:
            found_lines = [{"similarity": round(hit.similarity, 6), "line": hit.line, "text": hit.text} for hit in hits]
            typer.echo(json.dumps({"query": query, "hits": found_lines}, ensure_ascii=False))
            continue
        if len(asked) > 1:
            typer.echo(f"# {query}")
        for hit in hits:
            typer.echo(f"{hit.similarity:.4f}\t{hit.line}\t{hit.text}")


def _tell_long(long: int, lines: int, windows: bool, room: int) -> None:
    if long:
        what = "read in windows" if windows else "cut there (--windows reads all of them)"
        say(f"warning: {long:,} of {lines:,} lines are longer than the model's {room} pieces and were {what}")
