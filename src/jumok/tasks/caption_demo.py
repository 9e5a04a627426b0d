"""What the demo's captioner learnt of generated scenes, attention included."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jumok.data.captions import read_captions
from jumok.data.scenes import parse
from jumok.insight.caption_viewer import CaptionView
from jumok.tasks.caption import CaptionRecipe
from jumok.tasks.caption_attention import attention_view
from jumok.tasks.caption_evaluate import evaluate
from jumok.tasks.caption_predict import Captioner

SHOWN = 8


@dataclass(frozen=True)
class Shown:
    """What the demo shows.

    Some validation pictures (file, caption, whether it describes exactly the scene, a reference); the share of all
    captions that do (0-100); the look at one picture.
    """

    examples: list[tuple[str, str, str, str]]
    exact: float
    view: CaptionView


def show(recipe: CaptionRecipe, advance: Callable[[int], None] | None = None) -> Shown:
    """Caption the validation pictures of the demo's data with its finished run."""
    captioner = Captioner.load(recipe.run)
    folder = Path(recipe.data.folder)
    result = evaluate(captioner, read_captions(folder, recipe.data.val), advance=advance)
    # one of each relation, and things alone, rather than eight of one kind
    references = [captions[0] for captions in result.store.captions]
    scenes = [parse(text) for text in references]
    first = {scene.relation if scene else None: row for row, scene in reversed(list(enumerate(scenes)))}
    rows = sorted(list(dict.fromkeys([*first.values(), *range(SHOWN)]))[:SHOWN])
    examples = []
    for row in rows:
        right = scenes[row] is not None and parse(result.captions[row]) == scenes[row]
        where = result.store.paths[row].name
        examples.append((where, result.captions[row], "yes" if right else "no", references[row]))
    view = attention_view(captioner, result.store.paths[first.get("left", rows[0])])
    return Shown(examples, result.exact_scenes or 0.0, view)
