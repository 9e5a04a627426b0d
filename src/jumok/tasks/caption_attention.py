"""What a captioner looked at in a photo, word by word, as `jumok.insight` draws it."""

from pathlib import Path

import torch

from jumok.data.image_file import centre
from jumok.data.image_store import shorter
from jumok.data.tokenizer import BEGIN, END
from jumok.decoding.search import SearchOptions
from jumok.errors import UserError
from jumok.insight.caption_viewer import CaptionView
from jumok.insight.choice import EVERYTHING, Choice
from jumok.insight.record import record
from jumok.tasks.caption_predict import Captioner
from jumok.tasks.classify_attention import SHARPEST, photo_pixels
from jumok.tasks.inference import evaluating


def attention_view(
    captioner: Captioner,
    photo: Path,
    caption: str | None = None,
    options: SearchOptions | None = None,
    *,
    choice: Choice = EVERYTHING,
) -> CaptionView:
    """Where the chosen layers and heads of the decoder looked: one forced pass over the best caption, or `caption`.

    Raises `Unseen` for a photo that cannot be read, `UserError` for an ensemble and for a layer or head that does not
    exist.
    """
    if len(captioner.models) > 1:
        raise UserError("attention is seen in one run at a time; name a single run")
    wanted = captioner.preprocessing
    sharp, pixels = (photo_pixels(photo, wanted.channels, most) for most in (SHARPEST, shorter(wanted.size)))
    model, tokenizer = captioner.models[0], captioner.tokenizer
    if caption is None:
        options = (options or captioner.options).model_copy(update={"n_best": 1, "sample": False})
        pieces = list(captioner.write([pixels], options)[0][0].pieces)
    else:
        pieces = tokenizer.encode(caption)[: captioner.writer.room]
    forced = torch.tensor([[BEGIN, *pieces]], device=captioner.device)
    image = captioner.prepared([pixels])
    with evaluating(model), torch.inference_mode(), record(model, "*.cross") as maps:
        encoded = model.encode(image)
        model.decoder(encoded, forced)
    assert encoded.grid is not None
    (end,) = tokenizer.pieces([END])
    view = CaptionView(
        photo=centre(sharp, min(sharp.shape[:2])),
        pieces=[*tokenizer.pieces(pieces), end],
        maps={name: weights[0] for name, weights in maps.items()},
        prefix=encoded.prefix,
        grid=encoded.grid,
        caption=tokenizer.decode(pieces),
        model=f"{model.config.encoder} and {model.config.decoder}, {len(maps)} layers that look{choice.noted()}",
        choice=choice,
    )
    view.chosen()  # exists
    return view
