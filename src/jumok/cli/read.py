"""``jumok read RUN word.png more/``: what cropped words say."""

import json
from pathlib import Path
from typing import Annotated

import typer

from jumok.cli import options
from jumok.cli.image_paths import image_paths, print_answers


def read(
    run: options.RunPath,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Crops of words, and folders of them.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    beam: options.Beam = None,
    n_best: Annotated[int, typer.Option(min=1, help="Write the N best texts of each crop.")] = 1,
    sample: options.Sample = False,
    temperature: options.Temperature = None,
    top_k: options.TopK = None,
    top_p: options.TopP = None,
    seed: options.Seed = None,
    length_penalty: options.LengthPenalty = None,
    max_length: options.MaxLength = None,
    min_length: options.MinLength = None,
    no_repeat_ngram: options.NoRepeatNgram = None,
    rotations: Annotated[
        bool, typer.Option("--rotations", help="Tall crops: try them turned by 90 and 270 degrees, keep the surest.")
    ] = False,
    batch: Annotated[int, typer.Option(min=1, help="Crops read together.")] = 64,
    precision: options.ImagePrecisionOption = options.ImagePrecision.fp32,
    device: options.Device = "auto",
) -> None:
    """Read words in crops: path, text and confidence (0-1), with tabs between them; N lines a crop with --n-best N.

    An image must show one word or line, cut out of its photo: this reads crops; it finds no words on a page. Folders
    are searched for images. What cannot be opened is named and counted; the others are read. --json adds the
    confidence of each character. A CTC reader says all characters at once: of the options below it knows --beam and
    --n-best.
    """
    from jumok.tasks.read_predict import Reader, Reading

    files = image_paths(images)
    reader = Reader.load(run, precision=precision.value, device=device)

    asked = options.n_best_options(
        reader.options,
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

    def values(reading: Reading) -> dict[str, object]:
        return {
            "text": reading.text,
            "confidence": round(reading.confidence, 6),
            "characters": [[character, round(sure, 6)] for character, sure in reading.characters],
        }

    def line(reading: Reading) -> str:
        if not as_json:
            found = [reading, *reading.others]
            return "\n".join(f"{reading.path}\t{each.text}\t{each.confidence:.4f}" for each in found)
        more = {"others": [values(each) for each in reading.others]} if n_best > 1 else {}
        return json.dumps({"path": str(reading.path)} | values(reading) | more, ensure_ascii=False)

    answers = reader.predict(files, asked, rotations=rotations, batch=batch)
    print_answers("reading", len(files), answers, line)
