"""The demo of a job: its recipe, on generated data, with a place for its run."""

import shutil
from collections.abc import Callable
from pathlib import Path

from jumok.config import override, parse, read_recipe
from jumok.data.sample import Job, write_sample
from jumok.errors import UserError
from jumok.tasks.caption import CaptionRecipe
from jumok.tasks.classify import ClassifyRecipe
from jumok.tasks.embed import EmbedRecipe
from jumok.tasks.read import ReadRecipe
from jumok.tasks.runs import (
    RECIPES,
    captioner_config,
    classifier_config,
    embedder_config,
    reader_config,
    translator_config,
)
from jumok.tasks.translate import TranslateRecipe
from jumok.training.run import Run

Recipe = TranslateRecipe | ClassifyRecipe | CaptionRecipe | ReadRecipe | EmbedRecipe
NAMES: dict[Job, str] = {
    "translate": "demo",
    "classify": "demo-classify",
    "caption": "demo-caption",
    "read": "demo-read",
    "embed": "demo-embed",
}
KINDS: dict[Job, type[Recipe]] = {
    "translate": TranslateRecipe,
    "classify": ClassifyRecipe,
    "caption": CaptionRecipe,
    "read": ReadRecipe,
    "embed": EmbedRecipe,
}
CONFIGS = {
    "translate": translator_config,
    "classify": classifier_config,
    "caption": captioner_config,
    "read": reader_config,
    "embed": embedder_config,
}


def prepare(job: Job, assignments: list[str], say: Callable[[str], None]) -> Recipe:
    """The demo's recipe, with its data written and the place of its run free.

    Data from an earlier demo is used again and its run is replaced, both beside each other: ``runs/demo-data`` and
    ``runs/demo``. Raises `UserError` if the run there is not a demo's.
    """
    values = override(read_recipe(RECIPES / f"{NAMES[job]}.yaml"), assignments)
    run = Path(str(values["run"]))
    home = run.with_name(f"{run.name}-data")
    own = not any(assignment.startswith("data.folder=") for assignment in assignments)
    if own:
        values["data"]["folder"] = str(home / job)
    recipe = parse(KINDS[job], values, "the demo's recipe")
    _remove_old(run, recipe, say)
    # its README is written last: where that stands, all of the data does
    if own and not (home / job / "README.txt").exists():
        for line in write_sample(home, job=job):
            say(line)
    return recipe


def _remove_old(path: Path, recipe: Recipe, say: Callable[[str], None]) -> None:
    """Make room where an earlier demo's run stands."""
    if not (path / "config.json").exists():
        return  # what else may stand there, `Run.create` looks at
    run = Run.open(path)
    data = CONFIGS[recipe.task](run)["recipe"]["data"] if run.config.get("task") == recipe.task else {}
    # where the data came from, and in which languages: of a demo's run the same as now
    mine = recipe.data.model_dump()
    if not data or any(data.get(key) != mine.get(key) for key in ("folder", "source", "target")):
        raise UserError(f"{path} is a run that the demo did not make; choose another: jumok demo run=DIR")
    say(f"replacing {path}, which an earlier demo made")
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise UserError(f"cannot remove {path}: {error.strerror}; choose another: jumok demo run=DIR") from error
