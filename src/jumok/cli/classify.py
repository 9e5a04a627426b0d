"""``jumok classify RUN photo.jpg more/``: what images show."""

import json
from pathlib import Path
from typing import Annotated

import typer

from jumok.cli import options
from jumok.cli.image_paths import image_paths, print_answers


def classify(
    run: options.RunPath,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files, and folders of them.")],
    top: Annotated[int, typer.Option(min=1, help="The N likeliest classes of each.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    batch: Annotated[int, typer.Option(min=1, help="Images classified together.")] = 64,
    precision: options.ImagePrecisionOption = options.ImagePrecision.fp32,
    device: options.Device = "auto",
) -> None:
    """Name what images show: path, then class and probability (0-1), the likeliest first, with tabs between them.

    Folders are searched for images. What cannot be read is named and counted; the others are classified.
    """
    from jumok.tasks.classify_predict import Classifier, Prediction

    files = image_paths(images)
    classifier = Classifier.load(run, precision=precision.value, device=device)

    def line(prediction: Prediction) -> str:
        if as_json:
            classes = [{"class": name, "probability": round(value, 6)} for name, value in prediction.classes]
            return json.dumps({"path": str(prediction.path), "classes": classes}, ensure_ascii=False)
        return "\t".join([str(prediction.path), *(f"{name}\t{p:.4f}" for name, p in prediction.classes)])

    print_answers("classifying", len(files), classifier.predict(files, top=top, batch=batch), line)
