"""From a recipe to a run: which tokenizer, which data, and the loop."""

from collections.abc import Callable

from jumok.data.tokenizer import Tokenizer
from jumok.tasks.embed import EmbedRecipe, EmbedTask
from jumok.tasks.embed_predict import TOKENIZER
from jumok.tasks.embed_start import start_tokenizer
from jumok.tasks.runs import into_run
from jumok.training.loop import train


def train_embedder(recipe: EmbedRecipe, *, resume: bool = False, say: Callable[[str], None] = print) -> EmbedTask:
    """Train `recipe` into its run directory; `say` gets the data report and notices.

    Raises `UserError` for an existing run without `resume`, and for all that is wrong with the recipe's data.
    """
    sampling = recipe.tokenizer.sampling
    given = None if recipe.from_ is None else start_tokenizer(recipe.from_, sampling)
    with into_run(recipe.run, resume) as run:
        stored = run.path / TOKENIZER
        tokenizer = Tokenizer.load(stored).resampled(sampling) if resume and stored.exists() else given
        task = EmbedTask(recipe, tokenizer, say)
        train(task, recipe.training, run, seed=recipe.seed, resume=resume)
    return task
