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
    rotations: Annotated[
        bool, typer.Option("--rotations", help="Tall crops: try them turned by 90 and 270 degrees, keep the surest.")
    ] = False,
    batch: Annotated[int, typer.Option(min=1, help="Crops read together.")] = 64,
    precision: options.ImagePrecisionOption = options.ImagePrecision.fp32,
    device: options.Device = "auto",
) -> None:
    """Read words in crops: path, text and confidence (0-1), with tabs between them.

    An image must show one word or line, cut out of its photo: this reads crops; it finds no words on a page. Folders
    are searched for images. What cannot be opened is named and counted; the others are read. --json adds the
    confidence of each character.
    """
    from jumok.tasks.read_predict import Reader, Reading

    files = image_paths(images)
    reader = Reader.load(run, precision=precision.value, device=device)

    def line(reading: Reading) -> str:
        if not as_json:
            return f"{reading.path}\t{reading.text}\t{reading.confidence:.4f}"
        values = {
            "path": str(reading.path),
            "text": reading.text,
            "confidence": round(reading.confidence, 6),
            "characters": [[character, round(sure, 6)] for character, sure in reading.characters],
        }
        return json.dumps(values, ensure_ascii=False)

    answers = reader.predict(files, beam=beam, rotations=rotations, batch=batch)
    print_answers("reading", len(files), answers, line)
