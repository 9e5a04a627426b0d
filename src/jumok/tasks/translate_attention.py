"""What a translator looked at in a sentence, all of it or a part, and over the course of its training."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from jumok.decoding.search import SearchOptions
from jumok.errors import UserError
from jumok.insight.choice import EVERYTHING, Choice
from jumok.insight.maps import Map, average
from jumok.insight.recorded import kind_of
from jumok.insight.viewer import AttentionView
from jumok.insight.window import Window, windowed
from jumok.tasks.attention_models import check_attention
from jumok.tasks.runs import run_path
from jumok.tasks.translate_predict import Translator
from jumok.training.run import Run
from jumok.training.snapshots import Snapshots
from jumok.training.weights import load_weights

KEEP = "train with training.save_every=100 training.keep=50, say, and the last 50 of these steps can be seen"
log = logging.getLogger("jumok")


@dataclass(frozen=True)
class Film:
    """The look at the source at each saved step, ``(step, (Q, K))``, with the pieces of its rows and keys."""

    frames: list[tuple[int, Map]]
    rows: list[str]
    keys: list[str]


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


def training_film(
    translator: Translator,
    run: str,
    line: str,
    target: str,
    *,
    choice: Choice = EVERYTHING,
    window: Window | None = None,
    warn: Callable[[str], None] = log.warning,
) -> Film:
    """The look at the source while `target` is written, at every saved step of the run: the mean of what is chosen.

    The text is the same at every step, so that the rows are. The weights are those that were validated (with
    training.ema the averaged ones); `translator` is left with those of the last saved step. A damaged state is named
    through `warn` and left out.

    Raises `UserError` as `attention_view` does, and for a run that keeps no two saved steps.
    """
    folder = Run.open(run_path(run)).path / "state"
    snapshots = Snapshots(folder).whole(warn)
    if len(snapshots) < 2:
        count = "only one saved step" if snapshots else "no saved step"
        raise UserError(f"a film needs two saved steps of a training, but {run} keeps {count} in {folder}; {KEEP}")
    frames = []
    for snapshot in snapshots:
        weights = snapshot.tensors("ema") or snapshot.tensors("model")
        load_weights(translator.models[0], weights, str(snapshot.folder))
        view = attention_view(translator, run, line, target, choice=choice, window=window)
        looked = [each.weights for each in view.choice.pick(view.maps) if kind_of(each.name) == "cross"]
        if not looked:
            raise UserError(f"a film shows where a decoder looks, and that of {run} has none of the {choice.said()}")
        frames.append((int(snapshot.state["progress"]["step"]), average(looked)))
    return Film(frames, list(view.target), list(view.source))
