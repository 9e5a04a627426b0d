"""From a recipe to a run: the words read, and the loop."""

from collections.abc import Callable

from jumok.progress import Counter, Silent
from jumok.tasks.read import ReadRecipe, ReadTask
from jumok.tasks.runs import into_run
from jumok.training.loop import train


def train_reader(
    recipe: ReadRecipe,
    *,
    resume: bool = False,
    say: Callable[[str], None] = print,
    counter: Counter = Silent,
) -> ReadTask:
    """Train `recipe` into its run directory; `say` gets the data report and notices, `counter` how far the reading is.

    Raises `UserError` for an existing run without `resume`, and for all that is wrong with the recipe's data.
    """
    with into_run(recipe.run, resume) as run:
        task = ReadTask(recipe, say, counter)
        train(task, recipe.training, run, seed=recipe.seed, resume=resume)
    return task
