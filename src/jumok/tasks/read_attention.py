"""What a reader looked at in a crop, character by character, as `jumok.insight` draws it."""

from pathlib import Path

import torch
from torch import Tensor

from jumok.data.image_file import BadImage
from jumok.data.tokenizer import BEGIN, END, SPECIALS
from jumok.data.word_store import stretched
from jumok.decoding import ctc
from jumok.errors import UserError
from jumok.insight.caption_viewer import CaptionView
from jumok.insight.choice import EVERYTHING, Choice
from jumok.insight.record import record
from jumok.models.image_to_text import ImageToFrames
from jumok.nn.state import Encoded
from jumok.tasks.attention_models import check_attention
from jumok.tasks.classify_attention import Unseen
from jumok.tasks.inference import evaluating
from jumok.tasks.read_predict import Reader


def attention_view(
    reader: Reader,
    crop: Path,
    text: str | None = None,
    *,
    run: str = "the run",
    beam: int | None = None,
    choice: Choice = EVERYTHING,
) -> CaptionView:
    """Where the chosen layers and heads looked in `crop` for each character of what is read there, or of `text`.

    A reader that writes shows its decoder's look at the image, from one forced pass. With CTC each character is said
    in a frame: shown is where that frame's column looked, in the encoder's self-attention, over its rows the mean.

    Raises `Unseen` for a crop that cannot be opened, or where nothing is read; `UserError` for a `text` that its frames
    cannot hold, for an ensemble, a model without attention (`run` is its name), and a layer or head that does not
    exist.
    """
    if len(reader.models) > 1:
        raise UserError("attention is seen in one run at a time; name a single run")
    check_attention(reader.models[0], run)
    try:
        pixels = reader.shape.decoded(crop)[0]
    except BadImage as error:
        raise Unseen(crop, str(error)) from error
    if text is None:
        text = reader.read([pixels], reader.searching(beam))[0].text
        if not text:
            raise Unseen(crop, "nothing is read in it", "give a text to look for (--target)")
    tokens = reader.charset.encode(reader.charset.spelling(text))[: reader.longest]
    width = reader.shape.width_of(pixels)
    image = reader.shape.tensor([pixels], width).to(reader.device)
    encoded, maps = _maps(reader, image, tokens)
    assert encoded.grid is not None
    config = reader.models[0].config
    pieces = [
        *(reader.charset.character(token) for token in tokens),
        *([] if config.decoder == "ctc" else [SPECIALS[END]]),
    ]
    view = CaptionView(
        photo=stretched(pixels, reader.shape.height, width),
        pieces=pieces,
        maps=maps,
        prefix=encoded.prefix,
        grid=encoded.grid,
        caption=reader.charset.decode(tokens),
        model=f"{config.encoder} and {config.decoder}, {len(maps)} layers that look{choice.noted()}",
        words=range(len(pieces)),
        choice=choice,
    )
    view.chosen()  # exists
    return view


def _maps(reader: Reader, image: Tensor, tokens: list[int]) -> tuple[Encoded, dict[str, Tensor]]:
    """What the encoder gives, and of each recorded layer (H, Q, K), a row for each token (and the end)."""
    model = reader.models[0]
    with evaluating(model), torch.inference_mode():
        if isinstance(model, ImageToFrames):
            with record(model) as maps:
                logits = model(image)[0]
            try:
                frames = ctc.places(logits, tokens)
            except ValueError as error:
                raise UserError(f"{error}: this image is too narrow for the text; give a shorter one") from None
            encoded = model.encode(image)
            assert encoded.grid is not None
            rows, columns = encoded.grid
            return encoded, {
                name: weights[0][:, encoded.prefix :].view(len(weights[0]), rows, columns, -1).mean(1)[:, frames]
                for name, weights in maps.items()
            }
        forced = torch.tensor([[BEGIN, *tokens]], device=reader.device)
        with record(model, "*.cross") as maps:
            encoded = model.encode(image)
            model.decoder(encoded, forced)
        return encoded, {name: weights[0] for name, weights in maps.items()}
