"""``jumok translate RUN < in.txt > out.txt``: one line in, one line out, in the order they came."""

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from jumok.cli import options
from jumok.cli.console import Bar, say
from jumok.errors import UserError


def translate(
    run: options.RunPath,
    beam: options.Beam = None,
    n_best: Annotated[int, typer.Option(help="Write the N best outputs of each line: N lines for one.")] = 1,
    scores: Annotated[bool, typer.Option("--scores", help="Write SCORE<TAB>TEXT.")] = False,
    sample: options.Sample = False,
    temperature: options.Temperature = None,
    top_k: options.TopK = None,
    top_p: options.TopP = None,
    seed: options.Seed = None,
    length_penalty: options.LengthPenalty = None,
    max_length: options.MaxLength = None,
    min_length: options.MinLength = None,
    no_repeat_ngram: options.NoRepeatNgram = None,
    prefix: Annotated[str | None, typer.Option(help="Text that every output starts with.")] = None,
    prefix_file: Annotated[
        Path | None, typer.Option(help="A file with the start of each output, a line each; empty for none.")
    ] = None,
    batch_tokens: options.BatchTokens = 4096,
    chunk: Annotated[int, typer.Option(min=1, help="Lines read before the first is answered.")] = 1000,
    precision: options.PrecisionOption = options.Precision.fp32,
    device: options.Device = "auto",
) -> None:
    """Translate stdin to stdout, line by line.

    Every line in gives one line out (N with --n-best N; an empty line gives empty ones), so the two files stay aligned.
    """
    from jumok.data.text import count_changes
    from jumok.tasks.translate_predict import Translator

    if prefix is not None and prefix_file is not None:
        raise UserError("--prefix and --prefix-file both say how outputs start; give one of them")
    translator = Translator.load(run, precision=precision.value, device=device)
    asked = options.n_best_options(
        translator.options,
        beam,
        n_best,
        sample,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        length_penalty=length_penalty,
        max_length=max_length,
        min_length=min_length,
        no_repeat_ngram=no_repeat_ngram,
    )
    starts = _starts(prefix_file)
    number, changed, cut = 0, 0, []
    with Bar("translating") as bar:
        for lines in _chunks(1 if sys.stdin.isatty() else chunk):
            prefixes = [prefix or ""] * len(lines) if starts is None else _next(starts, number, len(lines), prefix_file)
            answers = translator.translate(lines, asked, prefixes=prefixes, batch_tokens=batch_tokens, first=number)
            for place, answer in enumerate(answers):
                for best in answer:
                    print(f"{best.score:.4f}\t{best.text}" if scores else best.text)
                if answer[0].cut:
                    cut.append(number + place + 1)
            sys.stdout.flush()
            number += len(lines)
            changed += count_changes(lines, translator.normalize)
            bar.advance(len(lines))
    if starts is not None and number < len(starts):
        raise UserError(f"{prefix_file} has {len(starts)} lines but the input only {number}; give one line for each")
    if changed:
        say(f"notice: {changed:,} lines were not in the Unicode normal form NFC and were brought to it")
    if cut:
        say(
            f"warning: {len(cut)} of {number} lines were longer than the model's {translator.max_len} pieces "
            f"and cut there (the first is line {cut[0]}); split them into sentences"
        )


def _chunks(size: int) -> Iterator[list[str]]:
    """The lines of stdin, `size` at a time; what stands before a line that is not text is still answered."""
    from jumok.data.text import stream_lines

    stream = stream_lines(sys.stdin.buffer, normalize="none")  # the translator brings it to the run's normal form
    while True:
        lines: list[str] = []
        wrong: UserError | None = None
        try:
            lines.extend(islice(stream, size))
        except UserError as error:
            wrong = error
        if lines:
            yield lines
        if wrong is not None:
            raise wrong
        if len(lines) < size:
            return


def _starts(path: Path | None) -> list[str] | None:
    if path is None:
        return None
    from jumok.data.text import read_lines

    return read_lines(path).lines


def _next(starts: list[str], number: int, count: int, path: Path | None) -> list[str]:
    if number + count > len(starts):
        raise UserError(f"{path} has {len(starts)} lines but the input more; give one line for each")
    return starts[number : number + count]
