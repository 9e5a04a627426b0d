"""One job a file; `train_recipe` and `load_run`, which find the job of a recipe and of a trained run."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from jumok.progress import Counter, Silent

if TYPE_CHECKING:
    from jumok.tasks.caption import CaptionRecipe
    from jumok.tasks.caption_predict import Captioner
    from jumok.tasks.classify import ClassifyRecipe
    from jumok.tasks.classify_predict import Classifier
    from jumok.tasks.embed import EmbedRecipe
    from jumok.tasks.embed_predict import SentenceEmbedder
    from jumok.tasks.read import ReadRecipe
    from jumok.tasks.read_predict import Reader
    from jumok.tasks.translate import TranslateRecipe
    from jumok.tasks.translate_predict import Translator


def train_recipe(
    recipe: "TranslateRecipe | ClassifyRecipe | CaptionRecipe | ReadRecipe | EmbedRecipe",
    *,
    resume: bool = False,
    say: Callable[[str], None] = print,
    counter: Counter = Silent,
) -> None:
    """Train a recipe of any job. Raises `UserError` as its job does."""
    if recipe.task == "classify":
        from jumok.tasks.classify_train import train_classifier

        train_classifier(recipe, resume=resume, say=say, counter=counter)
    elif recipe.task == "caption":
        from jumok.tasks.caption_train import train_captioner

        train_captioner(recipe, resume=resume, say=say, counter=counter)
    elif recipe.task == "read":
        from jumok.tasks.read_train import train_reader

        train_reader(recipe, resume=resume, say=say, counter=counter)
    elif recipe.task == "embed":
        from jumok.tasks.embed_train import train_embedder

        train_embedder(recipe, resume=resume, say=say)
    else:
        from jumok.tasks.translate_train import train_translator

        train_translator(recipe, resume=resume, say=say)


def load_run(path: str | Path) -> "Translator | Classifier | Captioner | Reader | SentenceEmbedder":
    """The predictor of a run, for use from Python. Raises `UserError` as its ``load`` does."""
    from jumok.tasks.runs import task_of

    task = task_of(path)
    if task == "classify":
        from jumok.tasks.classify_predict import Classifier

        return Classifier.load(path)
    if task == "caption":
        from jumok.tasks.caption_predict import Captioner

        return Captioner.load(path)
    if task == "read":
        from jumok.tasks.read_predict import Reader

        return Reader.load(path)
    if task == "embed":
        from jumok.tasks.embed_predict import SentenceEmbedder

        return SentenceEmbedder.load(path)
    from jumok.tasks.translate_predict import Translator

    return Translator.load(path)
