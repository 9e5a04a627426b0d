"""What a translator looked at in a sentence, all of it or a part, as `jumok.insight` draws it."""

from dataclasses import replace

from jumok.decoding.search import SearchOptions
from jumok.errors import UserError
from jumok.insight.choice import EVERYTHING, Choice
from jumok.insight.viewer import AttentionView
from jumok.insight.window import Window, windowed
from jumok.tasks.attention_models import check_attention
from jumok.tasks.translate_predict import Translator


def attention_view(
    translator: Translator,
    run: str,
    line: str,
    target: str | None = None,
    options: SearchOptions | None = None,
    *,
    choice: Choice = EVERYTHING,
    window: Window | None = None,
) -> AttentionView:
    """The attention of the chosen layers and heads, over the best translation of `line` or over `target`.

    `run` is the translator's name in messages. Raises `UserError` as `Translator.attention` does, for a model without
    attention, and for a layer, head or token that does not exist.
    """
    check_attention(translator.models[0], run)
    view = translator.attention(line, target, options)
    try:
        choice.pick(view.maps)
    except UserError as error:
        raise UserError(f"{run}: {error}") from None
    view = replace(view, choice=choice, model=view.model + choice.noted())
    return view if window is None else windowed(view, window)
