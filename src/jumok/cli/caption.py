"""``jumok caption RUN photo.jpg more/``: what photos show, in a sentence."""

import json
from pathlib import Path
from typing import Annotated

import typer

from jumok.cli import options
from jumok.cli.image_paths import image_paths, print_answers


def caption(
    run: options.RunPath,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files, and folders of them.")],
    beam: options.Beam = None,
    n_best: Annotated[int, typer.Option(min=1, help="Write the N best captions of each image.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    sample: options.Sample = False,
    temperature: options.Temperature = None,
    top_k: options.TopK = None,
    top_p: options.TopP = None,
    seed: options.Seed = None,
    length_penalty: options.LengthPenalty = None,
    max_length: options.MaxLength = None,
    min_length: options.MinLength = None,
    no_repeat_ngram: options.NoRepeatNgram = None,
    batch: Annotated[int, typer.Option(min=1, help="Images captioned together.")] = 32,
    precision: options.ImagePrecisionOption = options.ImagePrecision.fp32,
    device: options.Device = "auto",
) -> None:
    """Say what photos show: path and caption, with a tab between them; N lines an image with --n-best N.

    Folders are searched for images. What cannot be read is named and counted; the others are captioned. --json adds the
    score each caption was ranked by.
    """
    from jumok.tasks.caption_predict import Captioned, Captioner

    files = image_paths(images)
    captioner = Captioner.load(run, precision=precision.value, device=device)
    asked = options.n_best_options(
        captioner.options,
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

    def line(answer: Captioned) -> str:
        if as_json:
            found = [{"caption": each.text, "score": round(each.score, 6)} for each in answer.captions]
            return json.dumps({"path": str(answer.path), "captions": found}, ensure_ascii=False)
        return "\n".join(f"{answer.path}\t{each.text}" for each in answer.captions)

    print_answers("captioning", len(files), captioner.predict(files, asked, batch=batch), line)
