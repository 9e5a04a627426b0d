"""From a recipe to a run: which tokenizer, the images read, and the loop."""

from collections.abc import Callable

from jumok.data.tokenizer import Tokenizer
from jumok.progress import Counter, Silent
from jumok.tasks.caption import CaptionRecipe, CaptionTask
from jumok.tasks.caption_predict import TOKENIZER
from jumok.tasks.runs import captioner_config, into_run, run_path
from jumok.training.loop import train
from jumok.training.run import Run


def train_captioner(
    recipe: CaptionRecipe,
    *,
    resume: bool = False,
    say: Callable[[str], None] = print,
    counter: Counter = Silent,
) -> CaptionTask:
    """Train `recipe` into its run directory; `say` gets the data report and notices, `counter` how far the reading is.

    Raises `UserError` for an existing run without `resume`, and for all that is wrong with the recipe's data.
    """
    start = None if recipe.from_ is None else Run.open(run_path(recipe.from_))
    if start is not None:
        captioner_config(start)  # whole, and a captioner's: before anything is read
    with into_run(recipe.run, resume) as run:
        task = CaptionTask(recipe, _stored_tokenizer(recipe, run, start, resume), say, counter)
        train(task, recipe.training, run, seed=recipe.seed, resume=resume)
    return task


def _stored_tokenizer(recipe: CaptionRecipe, run: Run, start: Run | None, resume: bool) -> Tokenizer | None:
    """The tokenizer of the run that is resumed or continued; None where one is to be trained."""
    if resume and (run.path / TOKENIZER).exists():
        return Tokenizer.load(run.path / TOKENIZER)
    if start is None:
        return None
    return Tokenizer.load(start.path / TOKENIZER).resampled(recipe.tokenizer.sampling)
