"""``jumok classify RUN photo.jpg more/``: what images show."""

import json
from pathlib import Path
from typing import Annotated

import typer

from jumok.cli import options
from jumok.cli.console import Bar, say
from jumok.errors import UserError


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
    from jumok.data.images import image_files
    from jumok.tasks.classify_predict import Classifier

    files: list[Path] = []
    for path in images:
        if not path.exists():
            raise UserError(f"there is no {path}; give image files, or folders of them")
        found = image_files(path) if path.is_dir() else [path]
        if not found:
            raise UserError(f"{path} holds no images; give another folder")
        files += found
    classifier = Classifier.load(run, precision=precision.value, device=device)
    unreadable = 0
    with Bar("classifying", total=len(files)) as bar:
        for prediction in classifier.predict(files, top=top, batch=batch):
            if prediction.reason is not None:
                unreadable += 1
                say(f"skipped {prediction.path}: {prediction.reason}")
            elif as_json:
                classes = [{"class": name, "probability": round(value, 6)} for name, value in prediction.classes]
                print(json.dumps({"path": str(prediction.path), "classes": classes}, ensure_ascii=False))
            else:
                print("\t".join([str(prediction.path), *(f"{name}\t{p:.4f}" for name, p in prediction.classes)]))
            bar.advance(1)
    if unreadable == len(files):
        raise UserError(f"none of the {len(files):,} files is an image that can be read; see the reasons above")
    if unreadable:
        say(f"warning: {unreadable:,} of {len(files):,} files could not be read")
