"""From a recipe to a run: which tokenizer, which data, and the loop."""

from collections.abc import Callable

from jumok.data.tokenizer import TokenizerPair
from jumok.errors import UserError
from jumok.tasks.runs import into_run, run_path, translator_config
from jumok.tasks.translate import TranslateRecipe, TranslateTask
from jumok.training.loop import train
from jumok.training.run import Run


def train_translator(
    recipe: TranslateRecipe, *, resume: bool = False, say: Callable[[str], None] = print
) -> TranslateTask:
    """Train `recipe` into its run directory; `say` gets the data report and notices.

    Raises `UserError` for an existing run without `resume`, and for all that is wrong with the recipe's data.
    """
    start = Run.open(run_path(recipe.from_)) if recipe.from_ else None
    if start is not None:
        translator_config(start)  # whole, and a translator's: before anything is written
    with into_run(recipe.run, resume) as run:
        task = TranslateTask(recipe, _stored_tokenizers(recipe, run, start, resume), say)
        train(task, recipe.training, run, seed=recipe.seed, resume=resume)
    return task


def _stored_tokenizers(recipe: TranslateRecipe, run: Run, start: Run | None, resume: bool) -> TokenizerPair | None:
    """The tokenizers of the run that is resumed or continued; None where they are to be trained."""
    if resume and any(run.path.glob("*tokenizer.json")):
        return TokenizerPair.load(run.path)
    if start is None:
        return None
    stored = TokenizerPair.load(start.path)
    if stored.joint != recipe.tokenizer.joint:
        raise UserError(f"the run {start.path} has tokenizer.joint = {str(stored.joint).lower()}; set the same here")
    sampling = recipe.tokenizer.sampling  # its pieces, but sampled as this recipe asks
    source = stored.source.resampled(sampling)
    return TokenizerPair(source, source if stored.joint else stored.target.resampled(sampling))
