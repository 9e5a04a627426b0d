"""The demo: generated data, a small model trained on it, and what it learnt, attention included."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jumok.config import override, parse, read_recipe
from jumok.data.generated import Example, Link
from jumok.data.sample import write_sample
from jumok.data.text import read_lines
from jumok.errors import UserError
from jumok.insight.maps import alignment_accuracy, average
from jumok.insight.viewer import AttentionView
from jumok.metrics.text import exact_match
from jumok.tasks.runs import RECIPES, translator_config
from jumok.tasks.translate import TranslateRecipe
from jumok.tasks.translate_predict import Translator
from jumok.training.run import Run

SHOWN = 8
ALIGNED = 200  # test sentences whose attention is scored
SENTENCE = "five past three in the afternoon on the twentieth of November, 2026"


@dataclass(frozen=True)
class Shown:
    """What the demo shows.

    Some test sentences with translation and reference; the share of all that match exactly, and the share of target
    pieces whose best source piece is a right one (0-100), by the cross-attention `layer`; the attention of `SENTENCE`.
    """

    examples: list[tuple[str, str, str]]
    exact: float
    alignment: float
    layer: str
    view: AttentionView


def prepare(assignments: list[str], say: Callable[[str], None]) -> TranslateRecipe:
    """The demo's recipe, with its data written and the place of its run free.

    Data from an earlier demo is used again and its run is replaced, both beside each other: ``runs/demo-data`` and
    ``runs/demo``. Raises `UserError` if the run there is not a demo's.
    """
    values = override(read_recipe(RECIPES / "demo.yaml"), assignments)
    run = Path(str(values["run"]))
    home = run.with_name(f"{run.name}-data")
    own = not any(assignment.startswith("data.folder=") for assignment in assignments)
    if own:
        values["data"]["folder"] = str(home / "translate")
    recipe = parse(TranslateRecipe, values, "the demo's recipe")
    _remove_old(run, recipe, say)
    # its README is written last: where that stands, all of the data does
    if own and not (home / "translate" / "README.txt").exists():
        for line in write_sample(home):
            say(line)
    return recipe


def _remove_old(path: Path, recipe: TranslateRecipe, say: Callable[[str], None]) -> None:
    """Make room where an earlier demo's run stands."""
    if not (path / "config.json").exists():
        return  # what else may stand there, `Run.create` looks at
    data = translator_config(Run.open(path))["recipe"]["data"]
    if (data.get("folder"), data.get("source"), data.get("target")) != (
        recipe.data.folder,
        recipe.data.source,
        recipe.data.target,
    ):
        raise UserError(f"{path} is a run that the demo did not make; choose another: jumok demo run=DIR")
    say(f"replacing {path}, which an earlier demo made")
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise UserError(f"cannot remove {path}: {error.strerror}; choose another: jumok demo run=DIR") from error


def show(recipe: TranslateRecipe, advance: Callable[[int], None] | None = None) -> Shown:
    """Translate and align the test sentences of the demo's data with its finished run."""
    translator = Translator.load(recipe.run)
    folder = Path(recipe.data.folder)
    examples = [_example(line) for line in read_lines(folder / "test.links.jsonl", "none").lines]
    sources, references = [e.source for e in examples], [e.target for e in examples]
    answers = [found[0].text for found in translator.translate(sources, advance=advance)]
    layer, alignment = _alignment(translator, examples[:ALIGNED])
    # one of each kind there is, rather than eight dates
    first = {re.sub(r"\d+", "", reference): row for row, reference in reversed(list(enumerate(references)))}
    rows = sorted(list(dict.fromkeys([*first.values(), *range(SHOWN)]))[:SHOWN])
    return Shown(
        [(sources[row], answers[row], references[row]) for row in rows],
        exact_match(answers, references),
        alignment,
        layer,
        translator.attention(SENTENCE),
    )


def _alignment(translator: Translator, examples: list[Example]) -> tuple[str, float]:
    """Which layer's cross-attention (mean of its heads) finds the gold links best on the first half, and its score on
    the second half."""
    scores: dict[str, list[float]] = {}
    for example in examples:
        tokenizers = translator.tokenizers
        source, target = tokenizers.source.words(example.source)[1], tokenizers.target.words(example.target)[1]
        view = translator.attention(example.source, example.target)
        for name, weights in view.maps.items():
            if name.endswith(".cross"):
                accuracy = alignment_accuracy(average([weights]), source, target, example.links)
                scores.setdefault(name, []).append(accuracy)
    half = len(examples) // 2
    best = max(scores, key=lambda name: sum(scores[name][:half]))
    held_out = scores[best][half:]
    return best, sum(held_out) / len(held_out)


def _example(line: str) -> Example:
    values = json.loads(line)
    links = tuple(Link((a[0], a[1]), (b[0], b[1])) for a, b in values["links"])
    return Example(values["source"], values["target"], links)
